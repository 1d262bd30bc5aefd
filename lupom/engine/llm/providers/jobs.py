"""Bedrock's batch inference: a file of Converse requests in S3, a job, files of answers in S3.

Each job has a folder of its own under the alias's `batch_uri`, named by its token, so that what
stands in it is its own whatever Bedrock calls its output: TOKEN/calls.jsonl goes in, and every
*.jsonl.out below TOKEN/out/ is an answer. Nothing is deleted there; the bucket's own rules may.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.providers.aws import Runtime
from lupom.engine.project.sources import split_url

if TYPE_CHECKING:
    from lupom.engine.llm.settings.bedrock import BedrockSettings

ENDED = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")
# Seconds for files to go or come.
_TRANSFER = 600.0


class Jobs:
    """Batch inference jobs of one alias; each method raises ProviderError only."""

    def __init__(self, runtime: Runtime, settings: BedrockSettings) -> None:
        self._runtime = runtime
        self._settings = settings

    async def submit(self, lines: Sequence[str], token: str) -> str:
        """Upload records and create the job that carries a token; returns its ARN."""
        content = "\n".join([*lines, ""]).encode("utf-8", "replace")
        folder = f"{(self._settings.batch_uri or '').rstrip('/')}/{token}"
        bucket, key = split_url(f"{folder}/calls.jsonl")

        def put(client: Any) -> None:
            client.put_object(Bucket=bucket, Key=key, Body=content)

        def create(client: Any) -> str:
            reply = client.create_model_invocation_job(
                jobName=_name(token),
                clientRequestToken=token,
                roleArn=self._settings.batch_role,
                modelId=self._settings.model,
                modelInvocationType="Converse",
                inputDataConfig={
                    "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": f"s3://{bucket}/{key}"}
                },
                outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"{folder}/out/"}},
            )
            return str(reply["jobArn"])

        await self._runtime.use("s3", put, _TRANSFER)
        return await self._runtime.use("bedrock", create)

    async def find(self, token: str) -> str | None:
        """Return the ARN of the job that carries a token; None when there is none."""

        def find(client: Any) -> str | None:
            listed = client.list_model_invocation_jobs(nameContains=_name(token))
            found = listed.get("invocationJobSummaries") or ()
            return next((str(job["jobArn"]) for job in found), None)

        return await self._runtime.use("bedrock", find)

    async def state(self, arn: str) -> tuple[str, str | None, str]:
        """Return a job's status, what Bedrock says of it, and the URL that its output is under."""

        def get(client: Any) -> tuple[str, str | None, str]:
            job = client.get_model_invocation_job(jobIdentifier=arn)
            output = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
            return str(job["status"]), job.get("message"), str(output)

        return await self._runtime.use("bedrock", get)

    async def records(self, url: str) -> list[dict[str, Any]]:
        """Return the records of all output files under a URL, in no order, without their input."""
        bucket, prefix = split_url(url)

        def read(client: Any) -> list[dict[str, Any]]:
            return [
                record
                for key in _keys(client, bucket, prefix)
                for line in client.get_object(Bucket=bucket, Key=key)["Body"].iter_lines()
                if (record := _parsed(line)) is not None
            ]

        return await self._runtime.use("s3", read, _TRANSFER)


def _name(token: str) -> str:
    return f"lupom-{token}"


def _keys(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith(".jsonl.out"):
                yield entry["Key"]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, Mapping) or "recordId" not in record:
        return None
    # The input is written beside each answer and would double what is held.
    return {name: value for name, value in record.items() if name != "modelInput"}
