"""boto3 clients in threads, and AWS's errors in words a user can act on."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from lupom.engine.llm.providers.base import ProviderError
from lupom.engine.llm.providers.endpoint import (
    LONGEST_WAIT,
    RejectedError,
    is_of_form,
    is_of_one_request,
    retry_after,
)
from lupom.engine.llm.providers.transport import (
    broke_off,
    innermost,
    is_cut,
    keeps_whole_of_botocore,
)

T = TypeVar("T")
RUNTIME = "bedrock-runtime"
# Where boto3's own chain names no region; all ready models are offered there.
REGION = "us-east-1"
# A thread waits for one answer; beyond this many they would only wait for one another.
MOST_THREADS = 256
_CONNECT = 10.0
_NAMES = {"s3": "S3", "bedrock": "Bedrock"}
_MESSAGE = 400
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")

_THROTTLED = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"}
    | {"RequestLimitExceeded", "Throttling"}
)
_BAD_CREDENTIALS = frozenset(
    {"UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId"}
    | {"ExpiredTokenException", "ExpiredToken", "IncompleteSignature", "SignatureDoesNotMatch"}
    | {"MissingAuthenticationToken", "MissingAuthenticationTokenException"}
)
_PASSING = frozenset(
    {"ModelTimeoutException", "ModelNotReadyException", "ModelErrorException"}
    | {"InternalServerException", "ServiceUnavailableException", "ModelStreamErrorException"}
)
# What botocore raises where the chain finds no credentials that work.
_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
    | {"TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "SSOError"}
    | {"NoAuthTokenError", "LoginRefreshTokenExpired", "MetadataRetrievalError"}
)


class OnAws(Protocol):
    """Settings of an alias that is on AWS."""

    @property
    def model(self) -> str | None: ...

    @property
    def region(self) -> str | None: ...

    @property
    def base_url(self) -> str | None: ...

    @property
    def timeout(self) -> float: ...


class Runtime:
    """Bedrock as one alias uses it: clients made at their first call, and their threads.

    boto3 blocks, so each request in flight has a thread: for an LLM as many as its `concurrency`.
    """

    def __init__(self, alias: str, settings: OnAws, *, threads: int, under: str) -> None:
        """Open nothing yet; `under` is where the settings stand, for hints."""
        self._alias = alias
        self._settings = settings
        self._threads = min(threads, MOST_THREADS)
        self._under = under
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._pool: ThreadPoolExecutor | None = None
        self.region = settings.region or "?"

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one call of the model; raises ProviderError only."""

        def action(client: Any) -> dict[str, Any]:
            call: Callable[..., dict[str, Any]] = getattr(client, operation)
            reply = call(modelId=self._settings.model, **arguments)
            if hasattr(reply.get("body"), "read"):
                reply["body"] = reply["body"].read()
            if not reply.keys() - {"ResponseMetadata"}:
                # botocore takes what it cannot parse for an object without members.
                raise ProviderError(
                    "the body is empty or breaks off before its end", retryable=True, broke_off=True
                )
            return reply

        return await self.use(RUNTIME, action)

    async def use(
        self, service: str, action: Callable[[Any], T], timeout: float | None = None
    ) -> T:
        """Do something with a service's client, in a thread, within the alias's `timeout` or
        another one; raises ProviderError only."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=f"llm-{self._alias}")
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, lambda: action(self._client(service)))
        timeout = timeout or self._settings.timeout
        try:
            # boto3's limit is on the wait for the next bytes; this one is on the whole.
            async with asyncio.timeout(timeout + _CONNECT):
                return await work
        except ProviderError:
            raise
        except TimeoutError:
            raise ProviderError(f"no answer within {timeout:g} s", retryable=True) from None
        except Exception as error:
            raise self._error(error, service) from None

    async def close(self) -> None:
        """Close connections and threads."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        try:
            import boto3  # type: ignore[import-untyped,import-not-found,unused-ignore]
            from botocore.config import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
                Config,
            )
        except ImportError:
            raise ProviderError("boto3 is not installed", hint="pip install boto3") from None
        session = boto3.Session()
        self.region = self._settings.region or session.region_name or REGION
        config = Config(
            connect_timeout=min(_CONNECT, self._settings.timeout),
            read_timeout=self._settings.timeout,
            # Retries are the gateway's: they pause the whole alias and end with the run.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=self._threads,
            tcp_keepalive=True,
        )
        client = session.client(
            service,
            region_name=self.region,
            endpoint_url=self._settings.base_url if service == RUNTIME else None,
            config=config,
        )
        if service == RUNTIME:
            keeps_whole_of_botocore(client)
        return client

    def _error(self, error: Exception, service: str) -> ProviderError:
        response = getattr(error, "response", None)
        if isinstance(response, Mapping) and "Error" in response:
            return self._refusal(response, service)
        kinds = [kind.__name__ for kind in type(error).__mro__]
        text = _clean(innermost(error) or str(error)) or type(error).__name__
        if broke_off(error) or "HTTPClientError" in kinds or "ConnectionError" in kinds:
            return ProviderError(text, retryable=True, broke_off=broke_off(error))
        if "ResponseParserError" in kinds or "UnicodeDecodeError" in kinds:
            return ProviderError(f"the body is not an answer: {text}", retryable=True)
        if _NO_CREDENTIALS & set(kinds):
            return ProviderError(
                f"there are no AWS credentials: {text}",
                hint="AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
                " AWS_BEARER_TOKEN_BEDROCK, `aws sso login`, or a role: whatever boto3 finds",
            )
        return ProviderError(f"{type(error).__name__}: {text}")

    def _refusal(self, response: Mapping[str, Any], service: str) -> ProviderError:
        """Make the error of a status: what can be retried, what cannot, and what to do."""
        code = str(response["Error"].get("Code"))
        message = _clean(str(response["Error"].get("Message") or "no reason given"))
        meta = response.get("ResponseMetadata", {})
        status = int(meta.get("HTTPStatusCode") or 0)
        wait = retry_after(meta.get("HTTPHeaders") or {})
        wait = None if wait is None else min(wait, LONGEST_WAIT)
        if code.isdigit() and status in (400, 413, 422) and is_cut(message):
            # What it says of the request did not come whole, so it says nothing.
            return ProviderError(
                f"status {status}, and the body breaks off: {message[:80]!r}",
                retryable=True,
                broke_off=True,
            )
        text, lowered = f"{code}: {message}", message.lower()
        under = self._under
        if code in _THROTTLED or (status == 429 and code not in _PASSING):
            hint = f"fewer at once: `concurrency` or `requests_per_minute` under {under}"
            if "per day" in lowered:
                return ProviderError(text, hint="the day's quota is used up: run again tomorrow")
            return ProviderError(text, retryable=True, throttled=True, retry_after=wait, hint=hint)
        if code in _PASSING or status >= 500:
            return ProviderError(text, retryable=True, retry_after=wait)
        if code in _BAD_CREDENTIALS:
            return ProviderError(
                f"AWS does not take the credentials: {text}",
                hint="`aws sts get-caller-identity` says whose they are; `aws sso login` renews"
                " expired ones",
            )
        if service != RUNTIME:
            hint = (
                f"a batch needs s3:PutObject, s3:GetObject and s3:ListBucket under batch_uri,"
                f" bedrock:CreateModelInvocationJob, and iam:PassRole of batch_role: see {under}"
            )
            return ProviderError(f"{_NAMES.get(service, service)} says {text}", hint=hint)
        if "prompt caching" in lowered:
            return RejectedError(text, about="prompt caching", refused=False)
        if "end of its life" in lowered or "legacy" in lowered:
            return ProviderError(
                text, hint=f"the model is retired: name another `model` under {under}"
            )
        if code == "AccessDeniedException":
            return ProviderError(
                f"no access to the model '{self._settings.model}' in {self.region}: {text}",
                hint="access is asked for in the Bedrock console, per region; the role needs"
                " bedrock:InvokeModel on the model and on its inference profile",
            )
        if "on-demand throughput" in lowered:
            return ProviderError(
                text,
                hint=f"put a geography before the model under {under}: us., eu., apac. or global.",
            )
        if code == "ResourceNotFoundException" or "model identifier is invalid" in lowered:
            return ProviderError(
                f"there is no model '{self._settings.model}' in {self.region}: {text}",
                hint=f"`model` and `region` under {under}",
            )
        about = lowered if code == "ValidationException" else f"{code} {lowered}".lower()
        refused = is_of_one_request(status, about)
        alone = not refused and not is_of_form("", about)
        return RejectedError(text, about=about, refused=refused, alone=alone)


def _clean(text: str) -> str:
    """Return a text in which no secret of the environment and no key's id can be read."""
    for name in _SECRETS:
        secret = os.environ.get(name, "")
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return re.sub(r"\b(AKIA|ASIA)[0-9A-Z]{12,}\b", "***", text)[:_MESSAGE]
