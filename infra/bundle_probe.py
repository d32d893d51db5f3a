"""Run in the isolated interpreter; argv is the bundle's folder. Print a line when all is well."""

import base64
import importlib
import json
import sys
import time

BUNDLE = sys.argv[1]
sys.path[:] = [BUNDLE, *(path for path in sys.path if "site-packages" not in path)]


class Context:
    aws_request_id = "probe"
    function_name = "probe"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:probe"
    log_stream_name = "probe"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def rest(method: str, path: str) -> dict[str, object]:
    """Return what API Gateway hands to the admin API's function."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "identity": {"userArn": "arn:probe"},
            "requestId": "1",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def main() -> None:
    started = time.monotonic()
    app = importlib.import_module("app")
    assert str(app.__file__).startswith(BUNDLE), app.__file__
    seconds = time.monotonic() - started

    tweet = json.dumps({"tweet_id": "1", "text": "Forest fire near La Ronge Sask. Canada"}).encode()
    records = [
        {"recordId": str(n), "approximateArrivalTimestamp": 1_700_000_000_000, "data": base64.b64encode(data).decode()}
        for n, data in enumerate((tweet, b"\xff not a tweet"))
    ]
    stream = "arn:aws:firehose:us-east-1:123456789012:deliverystream/disaster-tweets-local"
    event = {"invocationId": "i", "deliveryStreamArn": stream, "region": "us-east-1", "records": records}
    answered = app.transform(event, Context())["records"]
    # The tweet file has the row, so Firehose need not deliver it: the default delivery.
    assert [(r["recordId"], r["result"]) for r in answered] == [("0", "Dropped"), ("1", "ProcessingFailed")], answered

    accelerator = importlib.import_module("chalicelib.transform.accelerator")
    assert not accelerator.PROGRAM.exists() or accelerator._Kept.accelerator, "the accelerator doesn't run"

    setup = {"kind": "setup", "id": "20260101T000000Z-000000", "arguments": {}}
    done = app.run_job(setup, Context())
    assert done["status"] == "succeeded", done

    shown = app.app(rest("GET", "/warehouse"), Context())
    assert shown["statusCode"] == 200, shown

    scheduled = {
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "version": "0",
        "detail": {},
    }
    app.reconcile(scheduled, Context())  # looks, and finds nothing due
    reconciliation = {"kind": "reconciliations", "arguments": {"repair": True}}
    done = app.reconcile({**scheduled, "detail": reconciliation}, Context())
    assert done["status"] == "succeeded", done

    done = app.collect(scheduled, Context())
    assert done["status"] == "off", done
    importlib.import_module("websockets.sync.client")  # what it reads Bluesky with, imported where it does

    files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    strange = sorted({name.split(".")[0] for name, file in files.items() if "site-packages" in file})
    assert not strange, f"imported from outside the bundle: {strange}"
    did = "one Firehose event, warehouse setup, one admin call, one reconciliation"
    print(f"The bundle ran alone (import {seconds:.2f} s): {did}")


main()
