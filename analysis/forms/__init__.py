"""What a law may look like: small pure forms, found by their name."""

from analysis.forms.chinchilla import Chinchilla
from analysis.forms.form import Form, Model
from analysis.forms.power import Power
from analysis.forms.sigmoid import Sigmoid
from sweeps.errors import UsageError, choices

__all__ = ["FORMS", "Chinchilla", "Form", "Model", "Power", "Sigmoid", "form_named"]

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Power(name="power", scale="beta", exponent="alpha"),
        Power(name="power_floor", has_floor=True),
        Power(name="saturating", has_offset=True, has_floor=True),
        Chinchilla(),
        Sigmoid(),
    )
}


def form_named(name: str) -> Form:
    """Return the form of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMS:
        raise UsageError(f"form={name} is unknown. {choices(name, FORMS)}")
    return FORMS[name]
