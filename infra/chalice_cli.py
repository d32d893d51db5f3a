"""Run Chalice's command line with a runtime and a Region; argv is both, then Chalice's own arguments.

Chalice takes its own interpreter's version for the runtime, and names roles without their Region, though IAM belongs to
the account: the same stage in two Regions would share them, and who destroys one would take them from the other.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from chalice import cli
from chalice.config import Config
from chalice.deploy.appgraph import ApplicationGraphBuilder
from chalice.deploy.models import ManagedIAMRole

RUNTIME, REGION = sys.argv.pop(1), sys.argv.pop(1)
sys.dont_write_bytecode = True  # from here on, for it would be packed with the app
REFERENCE = ApplicationGraphBuilder._create_role_reference


def of_region(self: ApplicationGraphBuilder, *arguments: Any, **named: Any) -> Any:
    """Return Chalice's role, its name with the Region behind it."""
    role = REFERENCE(self, *arguments, **named)
    if isinstance(role, ManagedIAMRole):
        role.role_name = f"{role.role_name}-{REGION}"
    return role


ApplicationGraphBuilder._create_role_reference = of_region
Config.lambda_python_version = property(lambda _: RUNTIME)
warnings.filterwarnings("ignore", "You are currently running")  # another Python than the runtime's
sys.exit(cli.main())
