"""What every program needs: settings, logs, files, clock, errors, the frame of a script."""
