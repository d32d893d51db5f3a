"""`python -m accelerator`: builds it for this machine. Where it can't, all works without it, only slower."""

from __future__ import annotations

import os
import sys

import accelerator


def main() -> None:
    if not accelerator.has_compiler():  # `make demo` and `make local` do without
        accelerator.forget()
        return
    try:
        accelerator.build(os.uname().machine, accelerator.HOME)
    except (accelerator.BuildError, OSError) as error:
        accelerator.forget()
        print(f"The accelerator was not built; the transform takes longer without it. {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
