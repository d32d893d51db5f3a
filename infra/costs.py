"""What a million tweets cost in us-east-1, ours beside the proof of concept's design, with the arithmetic.

Public list prices as published on the pages named in PRICES, looked up in 2025; free tiers are left out. What decides,
and may be measured anew: the sizes and times in MEASURED.
"""

from __future__ import annotations

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    usd: float
    unit: str
    source: str


PRICES = {
    "firehose": Price(
        0.029, "GB ingested by Direct PUT, each record rounded up to 5 KB", "aws.amazon.com/firehose/pricing"
    ),
    "lambda": Price(0.0000166667, "GB-second, x86", "aws.amazon.com/lambda/pricing"),
    "lambda_request": Price(0.20, "million requests", "aws.amazon.com/lambda/pricing"),
    "s3_put": Price(0.005, "thousand PUT or LIST requests", "aws.amazon.com/s3/pricing"),
    "s3_get": Price(0.0004, "thousand GET requests", "aws.amazon.com/s3/pricing"),
    "s3": Price(0.023, "GB-month, Standard", "aws.amazon.com/s3/pricing"),
    "rpu": Price(0.375, "RPU-hour, billed by the second, 60 s at least", "aws.amazon.com/redshift/pricing"),
    "comprehend": Price(0.0005, "second of an inference unit, idle or not", "aws.amazon.com/comprehend/pricing"),
}
