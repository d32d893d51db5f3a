"""`python -m infra package | policies | check | deploy | destroy | conformance | costs`; make has targets for some."""

from __future__ import annotations

import argparse
import os
import sys

from infra.stages import InfraError, stage


def main(argv: list[str] | None = None) -> int:
    """Run a command; return 0 if done, 1 after an error (printed in one line), 130 after Ctrl-C."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    arguments = parser().parse_args(argv)
    stage_name = getattr(arguments, "stage", "")
    again = f"python -m infra {arguments.command} --stage {stage_name}"
    if os.environ.get("TYPED"):  # the Makefile says what was typed
        again = f"{os.environ['TYPED']} STAGE={stage_name}"
    try:
        run(arguments)
    except KeyboardInterrupt:
        print(f"\nStopped. What was begun is taken up by the next one: {again}", file=sys.stderr)
        return 130
    except EOFError:
        print("Not confirmed: there was no answer", file=sys.stderr)
        return 1
    except NoRegionError:
        print(f"No region: AWS_DEFAULT_REGION=us-east-1 {again} (the region where the stage is)", file=sys.stderr)
        return 1
    except NoCredentialsError:
        print(f"No credentials: AWS_PROFILE=mine {again} (aws configure makes a profile)", file=sys.stderr)
        return 1
    except (InfraError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m infra", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    for name, does in {
        "package": "build the bundle into build/, inspect it and run it alone",
        "policies": "write .chalice/policy-<stage>-<function>.json again from infra/policies.py",
        "check": "look before a deployment: credentials, region, quotas, names",
        "deploy": "data plane, functions and admin API, warehouse, smoke test; again changes nothing",
        "destroy": "take it all down; asks before it deletes data",
        "conformance": "ask an endpoint whether it does what docs/fidelity.md says, and write down what differs",
        "costs": "what a million tweets cost, with the arithmetic",
    }.items():
        command = commands.add_parser(name, help=does, description=does)
        if name != "costs":
            command.add_argument("--stage", default="dev", help="one of infra/stages.json (default: dev)")
        if name == "policies":
            command.add_argument(
                "--copy", choices=("deployer", "producer", "analyst"), help="print a policy for a person instead"
            )
        if name == "conformance":
            command.add_argument("--api", default="", help="the admin API's URL (default: what make deploy has made)")
        if name == "destroy":
            command.add_argument("--yes", action="store_true", help="do not ask before functions and streams go")
            command.add_argument("--delete-data", action="store_true", help="the bucket and the warehouse go too")
    return made


def run(arguments: argparse.Namespace) -> None:
    if arguments.command == "costs":
        from infra import costs

        print(costs.table())
        return
    of = stage(arguments.stage)
    if arguments.command == "package":
        from infra import package

        print(package.described(package.package(of)))
    elif arguments.command == "policies" and arguments.copy:
        from infra import people

        print(people.policy(of, arguments.copy))
    elif arguments.command == "policies":
        from infra import policies

        print("\n".join(map(str, policies.write([of.name]))) or "The policies needed no change")
    elif arguments.command == "check":
        from infra import checks

        checks.report(of)
    elif arguments.command == "deploy":
        from infra import deploy

        deploy.deploy(of)
    elif arguments.command == "conformance":
        from infra import conformance

        conformance.run(of, api=arguments.api)
    elif arguments.command == "destroy":
        from infra import destroy

        destroy.destroy(of, ask=not arguments.yes, data=arguments.delete_data)


if __name__ == "__main__":
    sys.exit(main())
