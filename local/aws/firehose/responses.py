"""Serve Firehose's wire protocol: puts with AWS's limits and errors, and the life of streams."""

from __future__ import annotations

from binascii import Error, a2b_base64
from typing import Any, ClassVar

import orjson
from moto.core.responses import ActionResult
from moto.firehose.responses import FirehoseResponse

from local.aws.faults import Faults
from local.aws.firehose import settings
from local.aws.firehose.deliveries import Deliveries
from local.aws.firehose.settings import AwsError, invalid
from local.aws.firehose.stream import Stream, slow_down

MOST_RECORDS = 500
MOST_RECORD_BYTES = 1000 * 1024
MOST_BATCH_BYTES = 4 * 1024 * 1024
"""docs.aws.amazon.com/firehose/latest/dev/limits.html"""
KINDS = ("S3", "ExtendedS3", "Redshift", "Elasticsearch", "Splunk", "HttpEndpoint", "Snowflake", "Iceberg")
JSON = {"Content-Type": "application/x-amz-json-1.1"}
REFUSED = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}


class LiveFirehose(FirehoseResponse):  # type: ignore[misc]
    """Requests to `deliveries` and answers back; what isn't here is moto's."""

    deliveries: ClassVar[Deliveries]
    faults: ClassVar[Faults]

    def setup_class(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # moto would walk through botocore's model for every record.
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.automated_parameter_parsing = operation not in ("PutRecord", "PutRecordBatch")
        return super().setup_class(request, *args, **kwargs)

    # Puts

    def put_record(self) -> Any:
        request = self._request()
        data = decoded(request.get("Record") or {}, "record.data")
        stream = self._find(request)
        if self.faults.strikes("firehose_throttled"):
            raise slow_down()
        (record_id,) = stream.take([data])
        return 200, JSON, orjson.dumps({"RecordId": record_id, "Encrypted": False}).decode()

    def put_record_batch(self) -> Any:
        request = self._request()
        given = request.get("Records") or []
        if not 1 <= len(given) <= MOST_RECORDS:
            bound = f"less than or equal to {MOST_RECORDS}" if given else "greater than or equal to 1"
            raise constraint("records", f"[{len(given)} records]", f"have length {bound}")
        datas = [decoded(record, f"records.{n}.member.data") for n, record in enumerate(given, 1)]
        if sum(map(len, datas)) > MOST_BATCH_BYTES:
            raise invalid("Records size exceeds 4 MB limit")
        stream = self._find(request)
        if self.faults.strikes("firehose_throttled"):
            raise slow_down()
        # The last one is refused, and every second one before it: also of a batch of one.
        refused = len(datas) % 2 ^ 1 if self.faults.strikes("firehose_partial") else None
        if refused is None:
            answers = [{"RecordId": record_id} for record_id in stream.take(datas)]
        else:
            taken = [data for n, data in enumerate(datas) if n % 2 != refused]
            ids = iter(stream.take(taken) if taken else [])
            answers = [REFUSED if n % 2 == refused else {"RecordId": next(ids)} for n in range(len(datas))]
        failed = answers.count(REFUSED) if refused is not None else 0
        response = {"FailedPutCount": failed, "Encrypted": False, "RequestResponses": answers}
        return 200, JSON, orjson.dumps(response).decode()

    def _request(self) -> dict[str, Any]:
        try:
            request = orjson.loads(self.raw_body)
        except orjson.JSONDecodeError as error:
            raise AwsError("SerializationException", str(error)) from error
        if not isinstance(request, dict):
            raise AwsError("SerializationException", "The request is no JSON object.")
        return request

    def _find(self, request: dict[str, Any]) -> Stream:
        name = request.get("DeliveryStreamName") or ""
        stream = self.deliveries.find(self.region, name)
        if stream is None:
            message = f"Firehose {name} under account {self.current_account} not found."
            raise AwsError("ResourceNotFoundException", message)
        if stream.settings.source_arn:
            raise invalid("This operation is not permitted on KinesisStreamAsSource delivery stream type.")
        return stream

    # Streams

    def create_delivery_stream(self) -> ActionResult:
        for kind in KINDS:
            if given := self._get_param(f"{kind}DestinationConfiguration"):
                settings.check(kind, given)
        name = self._get_param("DeliveryStreamName")
        if self._get_param("DeliveryStreamType") == "KinesisStreamAsSource" and not self._get_param(
            "KinesisStreamSourceConfiguration"
        ):
            raise invalid("KinesisStreamSourceConfiguration is needed for a KinesisStreamAsSource delivery stream.")
        answer = super().create_delivery_stream()
        self.deliveries.create(self.firehose_backend.delivery_streams[name], self.current_account, self.region)
        return answer

    def describe_delivery_stream(self) -> ActionResult:
        result = self.firehose_backend.describe_delivery_stream(self._get_param("DeliveryStreamName"))
        return ActionResult(settings.with_defaults(result))

    def update_destination(self) -> ActionResult:
        for kind in KINDS:
            if given := self._get_param(f"{kind}DestinationUpdate"):
                settings.check(kind, given, update=True)
        answer = super().update_destination()
        stream = self.firehose_backend.delivery_streams[self._get_param("DeliveryStreamName")]
        self.deliveries.update(stream, self.current_account, self.region)
        return answer

    def delete_delivery_stream(self) -> ActionResult:
        answer = super().delete_delivery_stream()
        self.deliveries.delete(self.region, self._get_param("DeliveryStreamName"))
        return answer


def decoded(record: Any, member: str) -> bytes:
    """Return a record's data. Raises SerializationException, ValidationException."""
    given = record.get("Data") if isinstance(record, dict) else None
    if given is None:
        raise constraint(member, "null", "not be null")
    try:
        data = a2b_base64(given)
    except (Error, ValueError, TypeError) as error:
        raise AwsError("SerializationException", f"{member} is not base64: {error}") from error
    if len(data) > MOST_RECORD_BYTES:
        value = f"java.nio.HeapByteBuffer[pos=0 lim={len(data)} cap={len(data)}]"
        raise constraint(member, value, f"have length less than or equal to {MOST_RECORD_BYTES}")
    return data


def constraint(member: str, value: str, rule: str) -> AwsError:
    message = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must "
    return AwsError("ValidationException", message + rule)
