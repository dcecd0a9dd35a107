"""What goes wrong: refusals a client sees, and mistakes of the person who starts the simulator."""


class Refusal(Exception):
    """Becomes OL Connect's JSON Error; ``parameter`` names the offending value, if there is one."""

    def __init__(self, status: int, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameter = parameter


class SimulatorError(Exception):
    """A mistake of the person at the keyboard; the text is a sentence to show as it is."""


OPERATION_NOT_FOUND = "Operation not found in Server"


def missing(status: int, name: str, parameter: object) -> Refusal:
    """The vendor's wording for something named in a request that does not exist."""
    text = f"The specified {name} passed into this method refers to a missing resource."
    return Refusal(status, text, str(parameter))
