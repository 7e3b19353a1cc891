import pytest

from utils.host.errors import UsageError
from utils.repository.version_policy import parse_policy


@pytest.mark.parametrize(
    ("text", "served", "written"),
    [
        ("all", {1, 2, 7}, "all { }"),
        ("latest:1", {7}, "latest { num_versions: 1 }"),
        ("latest:2", {2, 7}, "latest { num_versions: 2 }"),
        ("latest:9", {1, 2, 7}, "latest { num_versions: 9 }"),
        ("specific:7,1", {1, 7}, "specific { versions: [ 1, 7 ] }"),
        ("specific:2", {2}, "specific { versions: [ 2 ] }"),
    ],
)
def test_policy_selects_the_versions_that_triton_serves(text, served, written):
    policy = parse_policy(text)
    assert policy.served([7, 1, 2]) == served
    assert str(policy) == written


@pytest.mark.parametrize("text", ["", "latest", "latest:0", "latest:-1", "latest:1.5", "specific:", "specific:1,"])
def test_other_values_are_refused(text):
    with pytest.raises(UsageError, match=r"--version-policy is .*all, latest:N .*specific:N,N"):
        parse_policy(text)


def test_policy_parses_in_a_model_config():
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    for text, kind in (("all", "all"), ("latest:3", "latest"), ("specific:1,4", "specific")):
        config = text_format.Parse(f"version_policy {{ {parse_policy(text)} }}", model_config_pb2.ModelConfig())
        assert config.version_policy.WhichOneof("policy_choice") == kind
