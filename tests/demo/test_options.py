import pytest

from example_project.demo.__main__ import main
from example_project.demo.options import BadOption, Options, from_environment
from example_project.reads import Mode


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_environment({"SECONDS": ""}) == Options()


def test_everything_can_be_chosen() -> None:
    found = from_environment({"SECONDS": "30", "CACHE": "naive", "DB": "postgres", "READERS": "3", "PRODUCTS": "10"})
    assert (found.seconds, found.cache, found.postgres, found.readers, found.size.products) == (30.0, Mode.NAIVE, True, 3, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECONDS", "soon"), ("SECONDS", "-1"), ("SECONDS", "nan"), ("CACHE", "magic"), ("DB", "oracle"), ("READERS", "0"), ("PORT", "x")],
)
def test_a_senseless_value_is_named_with_what_it_may_be(name: str, value: str) -> None:
    with pytest.raises(BadOption, match=rf"{name}='{value}': it may be ."):
        from_environment({name: value})


def test_a_senseless_option_or_command_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CACHE", "magic")
    assert main([]) == 2
    assert main(["redis", "explode"]) == 2
    assert main(["--help"]) == 0
    told = capsys.readouterr()
    assert "consistent, naive, off" in told.err
    assert "redis stop|start|status" in told.out
