"""Bedrock's batch inference on loopback: its control plane here, files in a real S3 server.

A job reads its input when it is made and, once it is looked at, writes its answers as Bedrock does:
beside each other's input, in another order than they were asked in, a file for each part and a
manifest, in a folder named by the job.

    with moto() as s3, JobServer(s3=client(s3)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", server.url)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.support.bedrock_server import BedrockServer, Fault

Outcome = Literal["Completed", "InProgress", "Failed", "Expired", "Stopped", "PartiallyCompleted"]
Record = dict[str, Any]


@dataclass
class JobServer(BedrockServer):
    """A Bedrock runtime that takes jobs, too.

    Attributes
    ----------
    outcome : what becomes of jobs when they are looked at; one that ends early has answered half of
        its records.
    job_faults : called with the number of a request for a job (from 1) and its body, when the job
        has been made for 'reset', before it is for the other kinds.
    errors : called with a record's input; returns the error it gets, or None.
    jobs : every job's request; batched : its records.
    """

    s3: Any = None
    outcome: Outcome = "Completed"
    job_faults: Callable[[int, Record], Fault | None] | None = None
    errors: Callable[[Record], Record | None] | None = None
    jobs: list[Record] = field(default_factory=list)
    batched: list[list[Record]] = field(default_factory=list)
    _made: dict[str, Record] = field(default_factory=dict, repr=False)
    _wanted: int = 0

    def _route(self, router: web.UrlDispatcher) -> None:
        super()._route(router)
        router.add_post("/model-invocation-job", self._create)
        router.add_get("/model-invocation-jobs", self._list)
        router.add_get("/model-invocation-job/{job}", self._look)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        self._wanted += 1
        wanted = await request.json()
        fault = self._stranger(request)
        fault = fault or (self.job_faults(self._wanted, wanted) if self.job_faults else None)
        if fault is not None and fault.kind != "reset":
            return await self._fail(request, fault)
        for arn, job in self._made.items():
            if job["clientRequestToken"] == wanted["clientRequestToken"]:
                return web.json_response({"jobArn": arn})
        url = wanted["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
        text = await asyncio.to_thread(self._get, url)
        self.jobs.append(wanted)
        self.batched.append([json.loads(line) for line in text.splitlines()])
        arn = f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/{len(self.jobs):012d}"
        times = dict.fromkeys(("submitTime", "lastModifiedTime"), "2026-01-01T00:00:00Z")
        self._made[arn] = {**wanted, **times, "jobArn": arn, "status": "Submitted"}
        if fault is not None:
            # Created, but the answer is lost on the way.
            return await self._fail(request, fault)
        return web.json_response({"jobArn": arn})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        part = request.query.get("nameContains", "")
        found = [job for job in self._made.values() if part in job["jobName"]]
        return web.json_response({"invocationJobSummaries": found})

    async def _look(self, request: web.Request) -> web.StreamResponse:
        job = self._made[request.match_info["job"]]
        if job["status"] in ("Submitted", "InProgress"):
            job["status"] = self.outcome
            if self.outcome == "Failed":
                job["message"] = "the role may not read the input"
            elif self.outcome != "InProgress":
                await asyncio.to_thread(self._write, job)
        return web.json_response(job)

    def _get(self, url: str) -> str:
        bucket, key = url.removeprefix("s3://").split("/", 1)
        return str(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())

    def _write(self, job: Record) -> None:
        number = list(self._made).index(job["jobArn"])
        records = self.batched[number]
        if job["status"] != "Completed":
            records = records[: len(records) // 2]
        lines = [self._line(record) for record in reversed(records)]
        url = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
        bucket, prefix = url.removeprefix("s3://").split("/", 1)
        folder = f"{prefix.rstrip('/')}/{job['jobArn'][-12:]}"
        half = len(lines) // 2
        files = {
            "calls.jsonl.out": "\n".join(lines[:half]),
            "calls_1.jsonl.out": "\n".join([*lines[half:], ""]),
            "manifest.json.out": json.dumps({"totalRecordCount": len(lines)}),
        }
        for name, content in files.items():
            self.s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=content.encode())

    def _line(self, record: Record) -> str:
        body = record["modelInput"]
        error = self.errors(body) if self.errors else None
        if "toolConfig" in body:
            error = {"errorCode": 400, "errorMessage": "toolConfig is not supported"}
        complaint = self._complaint(body, self.model)
        if complaint is not None:
            error = {"errorCode": 400, "errorMessage": complaint["message"]}
        came = {"error": error} if error else {"modelOutput": self._message(body)}
        return json.dumps({**record, **came})
