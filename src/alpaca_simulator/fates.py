"""The plan of a new order: how it fills by chance, changed by the faults that are on."""

import random
from dataclasses import replace
from decimal import Decimal

from alpaca_simulator.clock import SECOND
from alpaca_simulator.exchange.drafts import Draft
from alpaca_simulator.exchange.plans import AfterPart, Plan
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.faults import Fault, FaultBook


class Fates:
    """Decides the plan of each order."""

    def __init__(self, faults: FaultBook, seed: int, *, early_fills: float) -> None:
        self._faults = faults
        self._early_fills = early_fills
        self._dice = random.Random(f"world:{seed}")  # noqa: S311

    def plan(self, draft: Draft, ordinary: Plan) -> Plan:
        """Given a draft and the plan of an order without faults, returns its plan.

        Raises Rejection when a fault refuses it.
        """
        subject = {
            "symbol": draft.asset.symbol,
            "side": draft.side.value,
            "client_order_id": draft.client_order_id or "",
        }
        early = self._dice.random() < self._early_fills
        plan = replace(ordinary, latency=0) if early else ordinary
        take = self._faults.take
        if fault := take("reject_order", **subject):
            raise _refusal(fault)
        if fault := take("reject_later", **subject):
            plan = replace(plan, reject=str(fault.params.get("reason", "rejected")))
        if fault := take("partial_fill", **subject):
            plan = _partial(plan, fault)
        if fault := take("price_band_cancel", **subject):
            part = fault.params.get("fraction")
            plan = replace(
                plan, band_cancel=True, part=None if part is None else Decimal(str(part))
            )
            plan = replace(plan, after_part=AfterPart.CANCEL)
        if fault := take("slow_fill", **subject):
            plan = replace(plan, latency=round(fault.seconds(2) * SECOND))
        return plan


def _partial(plan: Plan, fault: Fault) -> Plan:
    part = Decimal(str(fault.params.get("fraction", "0.5")))
    return replace(plan, part=part, after_part=AfterPart(fault.params.get("then", "fill")))


def _refusal(fault: Fault) -> Rejection:
    params = fault.params
    return Rejection(
        int(params.get("status", 403)),
        int(params.get("code", 40310000)),
        str(params.get("message", "account is restricted to liquidation only")),
    )
