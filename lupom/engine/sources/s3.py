"""S3 as sources need it: what is there, and its bytes, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lupom.engine.errors import SourceError, did_you_mean
from lupom.engine.project.s3 import S3Settings
from lupom.engine.project.sources import split_url
from lupom.engine.store.access import S3Access

T = TypeVar("T")

_BLOCK = 1 << 16
# Bytes per second below which a download is given up; a modem is faster.
SLOWEST = 50_000
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 8.0
_MD5 = re.compile(r"[0-9a-f]{32}")
_PASSING = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "InternalError"}
    | {"RequestLimitExceeded", "ServiceUnavailable", "BandwidthLimitExceeded"}
)
_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
    | {"TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "SSOError"}
    | {"NoAuthTokenError", "LoginRefreshTokenExpired", "MetadataRetrievalError"}
)
_ENDED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_BAD_CREDENTIALS = _ENDED | frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"}
    | {"AuthFailure", "InvalidClientTokenId"}
)


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a bucket as it was when S3 was asked.

    `etag` is without quotes; `modified` is in seconds since 1970.
    """

    bucket: str
    key: str
    etag: str
    size: int
    modified: float

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class OutOfReach(SourceError):
    """S3 does not answer, or not for now, however often it was asked."""


class _Again(Exception):
    """A try that failed and may be made again; holds what to tell if it is not."""

    def __init__(self, error: SourceError) -> None:
        super().__init__(error.message)
        self.error = error


class S3:
    """A connection to S3 with one kind of settings; safe to share between threads.

    Parameters
    ----------
    pause : called with seconds before a try is made again.
    """

    def __init__(self, settings: S3Settings, pause: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self._pause = pause
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def address(self) -> str:
        """What tells one S3 from another: the endpoint, '' for AWS's own."""
        return self.settings.endpoint_url or endpoint_of_environment() or ""

    def head(self, url: str) -> Object:
        """Return what stands at an s3:// URL.

        Raises SourceError when nothing does, when it may not be read, or S3 cannot be reached.
        """
        bucket, key = split_url(url)
        reply = self._call(url, lambda: self._client().head_object(Bucket=bucket, Key=key))
        return _object(bucket, key, reply, reply["ContentLength"])

    def listing(self, url: str) -> list[Object]:
        """Return the objects that a URL with wildcards matches, by key.

        Raises SourceError when there is none, when the bucket may not be listed, or S3 cannot be
        reached.
        """
        bucket, pattern = split_url(url)
        prefix = re.split(r"[*?]", pattern, maxsplit=1)[0]
        wanted = _matcher(pattern)
        found: list[Object] = []
        token: str | None = None
        while True:
            more = {"ContinuationToken": token} if token else {}
            page = self._call(url, partial(self._page, bucket, prefix, more))
            for entry in page.get("Contents", ()):
                # A "folder" made in the console is an empty object whose key ends with a slash.
                if wanted.fullmatch(entry["Key"]) and not entry["Key"].endswith("/"):
                    found.append(_object(bucket, entry["Key"], entry, entry["Size"]))
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated"):
                break
            if not token:
                raise SourceError(f"{url}: the server's listing breaks off")
        if not found:
            raise SourceError(f"no object matches {url}", hint=self._near(bucket, prefix))
        return sorted(found, key=lambda o: o.key)

    def download(self, wanted: Object, path: Path) -> str:
        """Write an object's bytes to `path` and return their SHA-256.

        The file is complete and of the version asked for, or an error is raised: for an object that
        changed since, for one that arrives in part, damaged or too slowly.
        """
        found = self._call(wanted.url, lambda: self._get(wanted, path))
        if _MD5.fullmatch(wanted.etag) and found[0] != wanted.etag and not found[2]:
            # Some servers' ETags only look like an MD5. What arrives the same twice is right.
            again = self._call(wanted.url, lambda: self._get(wanted, path))
            if again[1] != found[1]:
                raise SourceError(f"{wanted.url} arrives damaged: two reads of it differ")
        return found[1]

    def look(self, url: str) -> None:
        """Raise SourceError where the bucket of a URL is not there or may not be listed."""
        bucket, prefix = split_url(url)
        self._call(url, partial(self._page, bucket, prefix, {"MaxKeys": 1}))

    def access(self) -> S3Access:
        """Return who asks S3 and where, for DuckDB; raises SourceError without credentials."""
        return self._call("s3://", self._access)

    def _access(self) -> S3Access:
        import boto3  # type: ignore[import-untyped,import-not-found,unused-ignore]

        session = boto3.Session(profile_name=self.settings.profile)
        region = self.settings.region or session.region_name or "us-east-1"
        place = {"region": region, "endpoint": self.address or None}
        if self.settings.anonymous:
            return S3Access(**place)
        found = session.get_credentials()
        if found is None:
            from botocore.exceptions import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
                NoCredentialsError,
            )

            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        return S3Access(frozen.access_key, frozen.secret_key, frozen.token, **place)

    def _page(self, bucket: str, prefix: str, more: dict[str, Any]) -> dict[str, Any]:
        page: dict[str, Any] = self._client().list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        return page

    def _get(self, wanted: Object, path: Path) -> tuple[str, str, bool]:
        """Return the MD5 and SHA-256 of what came, and whether its ETag is surely not an MD5."""
        begun = time.monotonic()
        limit = self.settings.timeout + wanted.size / SLOWEST
        reply = self._client().get_object(
            Bucket=wanted.bucket, Key=wanted.key, IfMatch=f'"{wanted.etag}"'
        )
        body = reply["Body"]
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = 0
        try:
            # Not every server honours If-Match.
            if _etag(reply) != wanted.etag or reply["ContentLength"] != wanted.size:
                raise _changed(wanted)
            # read() waits until its block is full, and a trickle keeps the socket's timeout from
            # ever passing; read1() returns what is there, so that the clock is looked at.
            raw = getattr(body, "_raw_stream", body)
            read = getattr(raw, "read1", body.read)
            with path.open("wb") as file:
                while block := read(_BLOCK):
                    size += len(block)
                    if size > wanted.size:
                        break
                    md5.update(block)
                    sha256.update(block)
                    file.write(block)
                    # What is here to its last byte is not thrown away for having taken long.
                    if size < wanted.size and time.monotonic() - begun > limit:
                        raise _Again(
                            SourceError(
                                f"{wanted.url} comes too slowly: {size:,} of {wanted.size:,} bytes "
                                f"in {limit:.3g} s",
                                hint="'timeout' under 's3:' allows for more",
                            )
                        )
        finally:
            body.close()
        if size != wanted.size:
            raise _Again(
                SourceError(f"{wanted.url} arrives cut off: {size:,} of {wanted.size:,} bytes")
            )
        encrypted = str(reply.get("ServerSideEncryption", "")).startswith("aws:kms")
        return md5.hexdigest(), sha256.hexdigest(), encrypted or "SSECustomerAlgorithm" in reply

    def _call(self, url: str, request: Callable[[], T]) -> T:
        """Make a request, again while it fails in passing, and put its error into words."""
        for attempt in range(self.settings.retries + 1):
            try:
                return request()
            except SourceError:
                raise
            except _Again as again:
                error, cause = again.error, again.__cause__
            except Exception as fault:
                error, passing = self._explained(fault, url)
                if not passing:
                    raise error from fault
                cause = fault
            if attempt < self.settings.retries:
                self._pause(min(_FIRST_PAUSE * 3**attempt, _LONGEST_PAUSE))
        tries = self.settings.retries + 1
        error.message += f"; tried {tries} times" if tries > 1 else ""
        raise OutOfReach(error.message, hint=error.hint) from cause

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = _make_client(self.settings)
            return self._made

    def _explained(self, fault: Exception, url: str) -> tuple[SourceError, bool]:
        """Return a fault as an error a user can act on, and whether it may pass."""
        name = type(fault).__name__
        # botocore makes a class of its own for some codes, NoSuchBucket among them.
        if "ClientError" in {kind.__name__ for kind in type(fault).__mro__}:
            return self._refused(fault, url)
        if name in _NO_CREDENTIALS:
            return SourceError(
                f"{url}: no credentials for S3",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or 'profile' under 's3:'; "
                "a public bucket wants 'anonymous: true'",
            ), False
        if name == "ProfileNotFound":
            return SourceError(
                f"{url}: no AWS profile '{self.settings.profile}'", hint="see ~/.aws/config"
            ), False
        if name in ("NoRegionError", "InvalidRegionError"):
            return SourceError(f"{url}: no valid region for S3", hint="'region' under 's3:'"), False
        if name == "ParamValidationError" or isinstance(fault, ValueError):
            return SourceError(f"{url}: {' '.join(str(fault).split())}"), False
        # What is left are connections that failed, timed out or broke off, botocore's or urllib3's.
        module = type(fault).__module__.split(".")[0]
        if module not in ("botocore", "urllib3", "http") and not isinstance(fault, OSError):
            raise fault
        where = self.address or "AWS"
        return SourceError(
            f"{url}: S3 at {where} cannot be read: {' '.join(str(fault).split())[:300] or name}"
        ), True

    def _refused(self, fault: Any, url: str) -> tuple[SourceError, bool]:
        code = str(fault.response.get("Error", {}).get("Code", ""))
        status = int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        text = " ".join(str(fault.response.get("Error", {}).get("Message", "")).split())[:300]
        bucket, key = split_url(url)
        if code.isdecimal() and status < 500 and fault.operation_name == "HeadObject":
            # The reply to HEAD has no body, and so does not say what is amiss; that to a listing
            # does.
            code = self._code_of_listing(bucket, key) or code
        if code == "NoSuchBucket":
            return SourceError(f"there is no bucket '{bucket}'", hint=self._at()), False
        if code in ("NoSuchKey", "404", "NotFound"):
            return SourceError(f"there is no object {url}", hint=self._near(bucket, key)), False
        if code in ("PreconditionFailed", "412"):
            return SourceError(
                f"{url} changed while it was being read", hint="run again to read it as it is now"
            ), False
        if code in _BAD_CREDENTIALS:
            return SourceError(
                f"{url}: S3 refuses the credentials ({code})",
                hint="they have ended: get new ones, and run again"
                if code in _ENDED
                else "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile",
            ), False
        if status in (301, 307) or code in ("AuthorizationHeaderMalformed", "PermanentRedirect"):
            return SourceError(
                f"{url}: the bucket is in another region", hint="give 'region' under 's3:'"
            ), False
        if status == 403 or (self.settings.anonymous and status in (400, 401)):
            who = "without credentials" if self.settings.anonymous else "with these credentials"
            return SourceError(
                f"{url} may not be read {who} ({code})",
                hint="it needs s3:GetObject, and s3:ListBucket for wildcards",
            ), False
        passing = status >= 500 or status == 429 or code in _PASSING
        return SourceError(f"{url}: S3 answers {status or '?'} {code} {text}".rstrip()), passing

    def _at(self) -> str | None:
        return f"asked at {self.address}" if self.address else None

    def _code_of_listing(self, bucket: str, key: str) -> str | None:
        try:
            self._client().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        except Exception as error:
            reply = getattr(error, "response", None)
            return str(reply["Error"]["Code"]) if isinstance(reply, dict) else None
        return None

    def _near(self, bucket: str, key: str) -> str | None:
        """Return a hint with a key like the one that is not there."""
        try:
            folder = key.rpartition("/")[0]
            page = self._page(bucket, folder, {})
        except Exception:
            return self._at()
        keys = [entry["Key"] for entry in page.get("Contents", ())]
        if not keys and folder:
            return f"nothing stands below s3://{bucket}/{folder}/"
        return did_you_mean(key, keys) or self._at()


def endpoint_of_environment() -> str | None:
    """Return the endpoint that the environment gives for S3, as boto3 reads it."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _make_client(settings: S3Settings) -> Any:
    import boto3  # type: ignore[import-untyped,import-not-found,unused-ignore]
    from botocore import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        UNSIGNED,
    )
    from botocore.config import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        Config,
    )

    endpoint = settings.endpoint_url or endpoint_of_environment()
    session = boto3.Session(profile_name=settings.profile)
    options: dict[str, Any] = {
        "connect_timeout": min(10.0, settings.timeout),
        "read_timeout": settings.timeout,
        # Tries are counted here, downloads that break off among them.
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "max_pool_connections": settings.concurrency,
        # Lengths, and MD5 where the ETag is one, are compared here.
        "response_checksum_validation": "when_required",
        # Servers other than AWS's seldom have a name for every bucket.
        "s3": {"addressing_style": "path" if endpoint else "auto"},
    }
    if settings.anonymous:
        options["signature_version"] = UNSIGNED
    return session.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.region or session.region_name or "us-east-1",
        config=Config(**options),
    )


def _object(bucket: str, key: str, reply: dict[str, Any], size: int) -> Object:
    return Object(bucket, key, _etag(reply), int(size), reply["LastModified"].timestamp())


def _etag(reply: dict[str, Any]) -> str:
    return str(reply.get("ETag", "")).removeprefix("W/").strip('"')


def _changed(wanted: Object) -> SourceError:
    return SourceError(
        f"{wanted.url} changed while it was being read", hint="run again to read it as it is now"
    )


def _matcher(pattern: str) -> re.Pattern[str]:
    """Compile a pattern, of which `*` and `?` stay within a folder and `**` does not."""
    return re.compile("".join(_pieces(pattern)), re.DOTALL)


def _pieces(pattern: str) -> Iterator[str]:
    for piece in re.split(r"(\*\*/?|\*|\?)", pattern):
        if piece == "**/":
            yield r"(?:.*/)?"
        elif piece == "**":
            yield r".*"
        elif piece == "*":
            yield r"[^/]*"
        elif piece == "?":
            yield r"[^/]"
        else:
            yield re.escape(piece)
