"""Flags of users and charts for tritonserver, with the names of 24.10."""

import pytest

from deploy.supervisor import arguments, settings
from deploy.supervisor.errors import SettingError

KNOWN = frozenset((
    "help", "model-store", "model-repository", "disable-auto-complete-config", "strict-readiness", "model-control-mode",
    "load-model", "allow-http", "http-port", "http-address", "http-restricted-api", "reuse-http-port", "allow-grpc",
    "grpc-port", "grpc-address", "grpc-use-ssl", "grpc-use-ssl-mutual", "grpc-server-cert", "grpc-server-key",
    "grpc-root-cert", "allow-vertex-ai", "allow-metrics", "metrics-port", "log-verbose", "backend-config",
    "trace-config", "exit-timeout-secs", "allow-client-shm",
))  # fmt: skip
OURS = [
    "--model-control-mode=none", "--strict-readiness=true", "--allow-http=true", "--http-port=8000",
    "--trace-config=level=off", "--http-restricted-api=trace:admin-key=secret", "--allow-vertex-ai=false",
    "--disable-auto-complete-config", "--allow-client-shm=false",
]  # fmt: skip
DEFAULTS = ["--model-repository=/models", "--backend-config=python,shm-default-byte-size=1048576"]


def parsed(*words):
    return arguments.parse(words, KNOWN)


def read(*words, **environment):
    return settings.read(arguments.as_settings(parsed(*words), environment))


def joined(*words):
    return arguments.merge(parsed(*words), OURS)


def test_without_flags_the_defaults_are_served():
    assert joined() == [*DEFAULTS, *OURS]
    assert arguments.repositories([]) == ["/models"]
    assert arguments.notes([]) == []


@pytest.mark.parametrize(
    "words", [["--http-port=9000"], ["--http-port", "9000"], ["--http-p=9000"], ["--http-po", "9000"]]
)
def test_flags_are_parsed_like_getopt(words):
    assert read(*words).http_port == 9000
    assert joined(*words) == joined(), "the port comes from the setting"


def test_a_switch_takes_no_value():
    user_flags = parsed("--disable-auto-complete-config", "--log-verbose", "1")
    assert [str(flag) for flag in user_flags] == ["--disable-auto-complete-config", "--log-verbose=1"]
    assert joined("--disable-auto", "--log-v", "1") == [*DEFAULTS, "--log-verbose=1", *OURS]


def test_abbreviated_repository_flags():
    assert arguments.repositories(parsed("--model-repo=/a", "--model-store=s3://b")) == ["/a", "s3://b"]


def test_the_arguments_of_kserve_work():
    """The container arguments of its Triton runtime."""
    words = [
        "--model-store=/mnt/models", "--grpc-port=9000", "--http-port=8080", "--allow-grpc=true", "--allow-http=true",
    ]  # fmt: skip
    found = read(*words)
    assert (found.http_port, found.grpc_port, found.grpc) == (8080, 9000, True)
    assert joined(*words) == [DEFAULTS[1], "--model-store=/mnt/models", *OURS]
    assert arguments.notes(parsed(*words)) == [
        "these flags are used as settings: --grpc-port=9000 (TRITON_GRPC_PORT), --http-port=8080 (TRITON_HTTP_PORT), "
        "--allow-grpc=true (TRITON_GRPC)"
    ]


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["--allow-grpc=false"], {"grpc": False}),
        (["--allow-metrics=0"], {"metrics_address": "127.0.0.1"}),
        (["--allow-metrics=True", "--metrics-port=1"], {"metrics_port": 1}),
        (["--http-address=127.0.0.1"], {"http_address": "127.0.0.1"}),
        (["--exit-timeout-secs=30"], {"drain_seconds": 30}),
        (["--http-port=1", "--http-port=2"], {"http_port": 2}),
    ],
)
def test_flags_that_are_settings(words, changes):
    assert read(*words) == settings.Settings(**changes)


def test_a_replaced_default_is_reported():
    assert joined("--trace-config=rate=5") == [
        *DEFAULTS,
        "--trace-config=rate=5",
        *[f for f in OURS if "level" not in f],
    ]
    assert "--trace-config=rate=5" in arguments.notes(parsed("--trace-config=rate=5"))[0]
    assert joined("--backend-config=python,shm-default-byte-size=9")[:2] == [
        DEFAULTS[0], "--backend-config=python,shm-default-byte-size=9",
    ]  # fmt: skip
    assert joined("--backend-config=python,x=9")[:2] == DEFAULTS


@pytest.mark.parametrize(
    "word", ["--model-control-mode=NONE", "--strict-readiness=1", "--allow-http=True", "--grpc-use-ssl=false"]
)
def test_flags_with_the_image_s_value_are_accepted(word):
    assert joined(word) == joined()


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("--model-control-mode=explicit", "proven"),
        ("--model-contr=poll", "proven"),
        ("--load-model=*", "proven"),
        ("--strict-readiness=false", "ready"),
        ("--allow-http=false", "canary"),
        ("--http-restricted-api=health:k=my-secret", "TRITON_ADMIN_KEY"),
        ("--allow-vertex-ai=true", "guard"),
        ("--allow-client-shm=true", "TRITON_ADMIN_KEY"),
        ("--grpc-use-ssl=true", "TRITON_GRPC_CERT_FILE"),
        ("--grpc-use-ssl-mutual=true", "TRITON_GRPC_CLIENT_CA_FILE"),
    ],
)
def test_a_flag_that_undoes_the_hardening_is_refused(word, hint):
    with pytest.raises(SettingError, match=f"is refused: .*{hint}.*omit the flag") as raised:
        joined(word)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-such=1"], "no flag --no-such; see `--help`"),
        (["--http"], "no flag --http; did you mean --http-address or --http-port or --http-restricted-api?"),
        (["--log-verbose"], "--log-verbose needs a value"),
        (["bash"], "'bash' is not a flag of tritonserver"),
        (["--"], "'--' is not a flag of tritonserver"),
        (["--log-verbose=1", "-v"], "'-v' is not a flag of tritonserver"),
    ],
)
def test_invalid_flags_are_reported(words, message):
    with pytest.raises(SettingError) as raised:
        parsed(*words)
    assert message in str(raised.value)


def test_a_flag_and_the_environment_must_agree():
    with pytest.raises(SettingError, match="--http-port=9000 and TRITON_HTTP_PORT=8000 disagree"):
        read("--http-port=9000", TRITON_HTTP_PORT="8000")
    with pytest.raises(SettingError, match="--allow-grpc=true and TRITON_GRPC=off disagree"):
        read("--allow-grpc=true", TRITON_GRPC="off")
    assert read("--http-port=9000", TRITON_HTTP_PORT="9000").http_port == 9000
    assert read("--http-port=9000", TRITON_HTTP_PORT="tcp://10.0.0.1:80").http_port == 9000
    assert read("--allow-grpc=false", TRITON_GRPC="off").grpc is False
