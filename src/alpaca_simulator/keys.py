"""Which keys are accepted: any, or one pair."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The pair to accept; None accepts anything that isn't empty."""

    key: str | None = None
    secret: str | None = None

    def accept(self, key: object, secret: object) -> bool:
        """Whether a pair may enter; a bearer token, given as both, is the secret of the pair."""
        if key == secret and self.secret is not None:
            return key == self.secret
        return _fits(self.key, key) and _fits(self.secret, secret)


def _fits(wanted: str | None, given: object) -> bool:
    return isinstance(given, str) and bool(given) and (wanted is None or given == wanted)
