"""On PYTHONPATH, this folder sends programs to the simulator (sitecustomize.py)."""
