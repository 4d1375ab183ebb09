"""What all sections of a run file have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a run file: unknown keys are refused, values stay as they were read, numbers are finite."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        strict=False,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
    )
