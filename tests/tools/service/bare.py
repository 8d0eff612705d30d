"""What `make service-bench` measures against: an endpoint that only parses the two files, with PyYAML's C loader."""

from __future__ import annotations

import yaml
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    """The two files."""

    training: str
    accelerate: str


@app.post("/check")
async def check(body: Body) -> dict[str, object]:
    """Parse, and answer nothing."""
    yaml.load(body.training, Loader=yaml.CSafeLoader)
    yaml.load(body.accelerate, Loader=yaml.CSafeLoader)
    return {}
