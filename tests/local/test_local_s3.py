"""The local S3 keeps what it acknowledged, and decides a conditional PUT once."""

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.served import Served, served

BUCKET = "disaster-tweets-local"


@pytest.fixture
def s3(stack: Any) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=stack.endpoint_url)


# ------------------------------------------------------------------ over a kill

BIG = bytes(range(256)) * 4096 * 9  # 9 MiB, which clients send in parts
ACTIVE = "/disaster-tweets/local/classifier/active"
Listed = list[tuple[Any, ...]]


def change(s3: Any, ssm: Any) -> None:
    """Whatever changes objects and parameters."""
    s3.put_object(Bucket=BUCKET, Key="a/b", Body=b"first", ContentType="text/plain", Metadata={"who": "me"})
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"a folder's name is a key, too")
    s3.put_object(Bucket=BUCKET, Key="odd ü%2F/../?#.gz", Body=b"odd")
    for body in (b"one", b"two"):
        s3.put_object(Bucket=BUCKET, Key="over", Body=body)
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a/b"})
    s3.upload_fileobj(io.BytesIO(BIG), BUCKET, "big")
    for key in ("gone/1", "gone/2", "gone/3"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="gone/1")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "gone/2"}, {"Key": "gone/3"}]})
    s3.create_bucket(Bucket="another")
    s3.put_object(Bucket="another", Key="k", Body=b"v")
    s3.create_bucket(Bucket="gone")
    s3.delete_bucket(Bucket="gone")

    for value in ("one", "two"):
        ssm.put_parameter(Name=ACTIVE, Value=value, Type="String", Overwrite=True)
    ssm.put_parameter(Name="/secret", Value="hidden", Type="SecureString")
    for name in ("/gone", "/gone/too"):
        ssm.put_parameter(Name=name, Value="x", Type="String")
    ssm.delete_parameter(Name="/gone")
    ssm.delete_parameters(Names=["/gone/too"])


def listed(s3: Any) -> Listed:
    found = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    return [(each["Key"], each["Size"], each["ETag"], each["LastModified"]) for each in found]


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Listed]]:
    """A server whose predecessor was killed right after the last answer, and what that one had listed."""
    home = tmp_path_factory.mktemp("killed")
    with served(home) as aws:
        change(aws.client("s3"), aws.client("ssm"))
        before = listed(aws.client("s3"))
        aws.kill()
    with served(home) as aws:
        yield aws, before


def test_objects_survive_a_kill(restarted: tuple[Served, Listed]) -> None:
    aws, before = restarted
    s3 = aws.client("s3")
    assert [name for name, *_ in before] == ["a", "a/b", "big", "copy", "odd ü%2F/../?#.gz", "over"]
    assert listed(s3) == before
    for key in ("a/b", "copy"):
        found = s3.get_object(Bucket=BUCKET, Key=key)
        assert found["Body"].read() == b"first"
        assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"who": "me"})
    assert s3.get_object(Bucket=BUCKET, Key="over")["Body"].read() == b"two"
    assert s3.get_object(Bucket=BUCKET, Key="big")["Body"].read() == BIG
    assert s3.get_object(Bucket="another", Key="k")["Body"].read() == b"v"
    assert {each["Name"] for each in s3.list_buckets()["Buckets"]} == {BUCKET, "another"}


def test_parameters_survive_a_kill(restarted: tuple[Served, Listed]) -> None:
    ssm = restarted[0].client("ssm")
    active = ssm.get_parameter(Name=ACTIVE)["Parameter"]
    assert (active["Value"], active["Version"]) == ("two", 2)
    assert ssm.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]["Value"] == "hidden"
    for name in ("/gone", "/gone/too"):
        with pytest.raises(ClientError, match="ParameterNotFound"):
            ssm.get_parameter(Name=name)


# ------------------------------------------------------------------ many at a time


def test_of_many_who_create_the_same_object_one_succeeds(s3: Any) -> None:
    def create(number: int) -> bool:
        try:
            s3.put_object(Bucket=BUCKET, Key="test/once", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(create, range(24)))
    assert done.count(True) == 1
    assert s3.get_object(Bucket=BUCKET, Key="test/once")["Body"].read() == str(done.index(True)).encode()


def test_who_reads_while_others_list_and_write_gets_whole_objects(s3: Any) -> None:
    def work(number: int) -> None:
        key, body = f"test/whole/{number % 5}", bytes([number]) * 50_000
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        found = s3.get_object(Bucket=BUCKET, Key=key)
        assert found["ETag"] == f'"{hashlib.md5(found["Body"].read()).hexdigest()}"'
        for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="test/whole/")["Contents"]:
            assert each["Size"] == 50_000

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))


def test_pages_are_in_order_and_complete(s3: Any) -> None:
    keys = [f"test/pages/{number:03}" for number in range(25)] + ["test/pages", "test/pagesz"]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")

    def found(**how: Any) -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 4}, **how)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    assert found(Prefix="test/pages/") == sorted(keys)[1:-1]
    assert found(Prefix="test/pages") == sorted(keys)
    assert found(Prefix="test/pages/", StartAfter="test/pages/020") == sorted(keys)[22:-1]
    assert found(Prefix="test/pages/", StartAfter="test/a") == sorted(keys)[1:-1]
    assert found(Prefix="test/none") == []
    folders = s3.list_objects_v2(Bucket=BUCKET, Prefix="test/pages", Delimiter="/")
    assert [each["Prefix"] for each in folders["CommonPrefixes"]] == ["test/pages/"]


def test_a_fault_before_the_write_leaves_nothing_and_one_after_it_the_object(stack: Any) -> None:
    import boto3
    from botocore.config import Config

    s3 = boto3.client("s3", endpoint_url=stack.endpoint_url, config=Config(retries={"total_max_attempts": 1}))
    try:
        for name, written in (("s3_before", False), ("s3_after", True)):
            stack.faults.set({name: 1.0})
            with pytest.raises(ClientError, match="InternalError"):
                s3.put_object(Bucket=BUCKET, Key=f"test/{name}", Body=b"x")
            assert ("Contents" in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"test/{name}")) is written
    finally:
        stack.faults.set({})
