"""Create what the account lists: functions, log groups, alarms, the schedule's rule, and the topic's messages.

`aws lambda list-functions`, `aws logs tail`, `aws cloudwatch describe-alarms`, `aws events list-rules` and `aws sqs
receive-message` find what they would find on AWS. All of it is put into moto's state directly, for a request each would
double the time that the start takes; a restart creates it again.
"""

from __future__ import annotations

import base64
import io
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local.aws import context, metrics, schedule
from local.aws.functions import Function

LOG_STREAM = context.Context.log_stream_name
MOST_EVENTS = 20_000  # of a log group; the files in <home>/logs have the rest


def install(
    made: Mapping[str, Function], stage: str, region: str, topic_arn: str, alarms: Iterable[Mapping[str, Any]]
) -> Callable[[str, str], None]:
    """Make it all for functions by their full names; return what takes a function's short name and a line it logs.

    `alarms`: properties of AWS::CloudWatch::Alarm.
    """
    account = {"account": DEFAULT_ACCOUNT_ID, "region": region}
    _functions(made, stage, **account)
    _rules(stage, **account)
    _alarms(alarms, **account)
    _messages(f"disaster-tweets-{stage}-alerts", topic_arn, **account)
    _messages(f"disaster-tweets-{stage}-situations", f"{topic_arn}-situations", **account)
    log, measure = _logs(made, **account), metrics.install(**account)

    def take(function: str, line: str) -> None:
        log(function, line)
        measure(line)

    return take


def _functions(made: Mapping[str, Function], stage: str, account: str, region: str) -> None:
    """Create the functions as `chalice deploy` does, with a role each: moto lists them, `functions.py` runs them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("app.py", "# The local Lambda runs the repository's app.py\n")
    for name, function in made.items():
        role = iam_backends[account]["global"].create_role(f"{name}-{region}", "{}", "/", None, "", [], None)
        lambda_backends[account][region].create_function(
            {
                "FunctionName": name,
                "Runtime": "python3.14",
                "Role": role.arn,
                "Handler": function.handler,
                "Code": {"ZipFile": base64.b64encode(packed.getvalue())},
                "Timeout": function.timeout,
                "MemorySize": function.memory,
                "Environment": {"Variables": {"STAGE": stage}},
            }
        )


def _rules(stage: str, account: str, region: str) -> None:
    """Create the rule of each function that has a schedule, under the name that Chalice gives it."""
    events = events_backends[account][region]
    for name, expression in schedule.expressions().items():
        function = f"disaster-tweets-{stage}-{name}"
        events.put_rule(name=f"{function}-event", scheduled_expression=expression, state="ENABLED")
        events.put_targets(f"{function}-event", None, [{"Id": "1", "Arn": context.arn(function)}])


def _logs(made: Mapping[str, Function], account: str, region: str) -> Callable[[str, str], None]:
    logs = logs_backends[account][region]
    streams = {}
    for name, function in made.items():
        group = context.log_group(name)
        logs.create_log_group(group, {})
        logs.create_log_stream(group, LOG_STREAM)
        streams[function.name] = logs.groups[group].streams[LOG_STREAM]

    def log(function: str, line: str) -> None:
        if (stream := streams.get(function)) and line:
            stream.put_log_events([{"timestamp": int(time.time() * 1000), "message": line}])
            if len(stream.events) > MOST_EVENTS:
                del stream.events[: MOST_EVENTS // 2]

    return log


def _messages(queue: str, topic_arn: str, account: str, region: str) -> None:
    """Subscribe a queue to the topic, so that what the topic was sent can be read."""
    made = sqs_backends[account][region].create_queue(queue)
    sns_backends[account][region].subscribe(topic_arn, made.queue_arn, "sqs")


# ------------------------------------------------------------------ alarms


def _alarms(alarms: Iterable[Mapping[str, Any]], account: str, region: str) -> None:
    """Create the alarms of the data plane. They are shown; nothing evaluates them here."""
    for alarm in alarms:
        cloudwatch_backends[account][region].put_metric_alarm(
            name=alarm["AlarmName"],
            description=alarm["AlarmDescription"],
            namespace=alarm.get("Namespace"),
            metric_name=alarm.get("MetricName"),
            statistic=alarm.get("Statistic"),
            period=alarm.get("Period"),
            dimensions=alarm.get("Dimensions", []),
            comparison_operator=alarm["ComparisonOperator"],
            evaluation_periods=alarm["EvaluationPeriods"],
            threshold=alarm["Threshold"],
            treat_missing_data=alarm.get("TreatMissingData"),
            alarm_actions=alarm["AlarmActions"],
            ok_actions=alarm["OKActions"],
            metric_data_queries=[_query(each) for each in alarm.get("Metrics", [])] or None,
        )


def _query(query: Mapping[str, Any]) -> MetricDataQuery:
    stat = query.get("MetricStat")
    metric = None
    if stat:
        dimensions = [Dimension(each["Name"], each["Value"]) for each in stat["Metric"].get("Dimensions", [])]
        named = Metric(stat["Metric"]["MetricName"], stat["Metric"]["Namespace"], dimensions)
        metric = MetricStat(named, stat["Period"], stat["Stat"], stat.get("Unit"))
    shown = query.get("ReturnData", True)
    return MetricDataQuery(
        query["Id"], query.get("Label", ""), query.get("Period"), shown, query.get("Expression"), metric
    )
