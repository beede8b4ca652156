"""Settings: everything wrong is named at once, nothing secret is repeated."""

from __future__ import annotations

import pytest

from shared.errors import ConfigError
from shared.settings import Role, Settings, realtime_dashboard

COMPLETE = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "DATABASE_URL": "postgresql://daybook@127.0.0.1/daybook",
    "JWT_SECRET_KEY": "k" * 32,
}
PEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----"


def problems(environment: dict[str, str], role: Role = "web") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(environment, role=role)
    return caught.value.problems


def test_every_bad_variable_is_named_at_once() -> None:
    bad = {
        "REDIS_URL": "http://example.com",
        "JWT_SECRET_KEY": "short",
        "PORT": "99999",
        "WEB_CONCURRENCY": "two",
        "DASHBOARD_RATE_REQUESTS": "often",
        "DASHBOARD_ALLOWED_ORIGINS": "app.example.com",
        "DASHBOARD_TRUSTED_PROXIES": "everyone",
        "DASHBOARD_DOCUMENT_URL": "https://app.example.com/{tenant}",
        "DASHBOARD_SIGN_IN_URL": "javascript:alert(1)",
        "DASHBOARD_MESSAGES": "/no/such/folder",
        "DASHBOARD_DEMO": "yes",
        "LOG_LEVEL": "LOUD",
        "DASHBOARD_INTERVAL_MIN": "60",
    }
    named = "\n".join(problems(bad))
    assert all(name in named for name in bad)


def test_no_value_of_a_bad_variable_is_repeated() -> None:
    secret = "hunter2hunter2"
    bad = dict.fromkeys(("REDIS_URL", "DATABASE_URL", "JWT_SECRET_KEY", "JWT_JWKS_URL", "PORT", "LOG_LEVEL"), secret)
    assert secret not in "\n".join(problems(bad, role="worker"))


def test_secrets_are_not_in_the_representation_of_settings() -> None:
    settings = Settings.from_env({**COMPLETE, "REDIS_URL": "redis://:hunter2@127.0.0.1/0"}, role="worker")
    assert "hunter2" not in repr(settings)
    assert COMPLETE["JWT_SECRET_KEY"] not in repr(settings)


def test_the_web_process_needs_no_database_and_is_told_none() -> None:
    assert Settings.from_env(COMPLETE, role="web").database_url is None
    assert "DATABASE_URL: must be set" in problems({"REDIS_URL": COMPLETE["REDIS_URL"]}, role="worker")


def test_an_empty_variable_counts_as_unset() -> None:
    settings = Settings.from_env({**COMPLETE, "PORT": "", "JWT_ISSUER": " "}, role="web")
    assert (settings.port, settings.jwt.issuer) == (8000, None)


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ({"JWT_SECRET_KEY": "k" * 32}, "HS256", "RS256"),
        ({"JWT_PUBLIC_KEY": PEM}, "EdDSA", "HS256"),
        ({"JWT_JWKS_URL": "https://id.example.com/keys"}, "ES256", "none"),
    ],
)
def test_the_algorithm_must_fit_the_key(key: dict[str, str], allowed: str, refused: str) -> None:
    environment = {"REDIS_URL": COMPLETE["REDIS_URL"], **key}
    assert Settings.from_env({**environment, "JWT_ALGORITHM": allowed}, role="web").jwt.algorithms == (allowed,)
    assert any(p.startswith("JWT_ALGORITHM") for p in problems({**environment, "JWT_ALGORITHM": refused}))


def test_only_one_way_to_verify_tokens_may_be_set() -> None:
    found = problems({**COMPLETE, "JWT_PUBLIC_KEY": PEM})
    assert any("JWT_SECRET_KEY and JWT_PUBLIC_KEY" in problem for problem in found)


def test_some_way_to_verify_tokens_must_be_set() -> None:
    assert any("JWT_JWKS_URL" in problem for problem in problems({"REDIS_URL": COMPLETE["REDIS_URL"]}))


@pytest.mark.parametrize(
    ("low", "default", "high"), [("40", "30", "300"), ("10", "301", "300"), ("10", "30", "20"), ("0", "30", "300")]
)
def test_intervals_must_be_in_order(low: str, default: str, high: str) -> None:
    names = ("DASHBOARD_INTERVAL_MIN", "DASHBOARD_INTERVAL_DEFAULT", "DASHBOARD_INTERVAL_MAX")
    assert any(
        "DASHBOARD_INTERVAL_MIN" in p
        for p in problems({**COMPLETE, **dict(zip(names, (low, default, high), strict=True))})
    )


def test_thresholds_must_rise() -> None:
    assert any("DASHBOARD_THRESHOLD_GOOD" in p for p in problems({**COMPLETE, "DASHBOARD_THRESHOLD_GOOD": "50"}))


@pytest.mark.parametrize("value", ["٣٠", "+30", "1e2", "30.0", "-1", "0x10"])
def test_a_number_is_plain_ascii_digits(value: str) -> None:
    assert any(
        p.startswith("DASHBOARD_CACHE_TIMEOUT") for p in problems({**COMPLETE, "DASHBOARD_CACHE_TIMEOUT": value})
    )


def test_the_settings_keep_the_names_of_the_first_description() -> None:
    assert realtime_dashboard(Settings.from_env(COMPLETE, role="web")) == {
        "UPDATE_INTERVALS": {"MIN": 10, "MAX": 300, "DEFAULT": 30},
        "CACHE_TIMEOUT": 300,
        "MAX_WEBSOCKET_CONNECTIONS": 100,
        "PERFORMANCE_THRESHOLDS": {"EXCELLENT": 100, "GOOD": 500, "POOR": 1000},
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "sentinel://10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379/0?master=daybook"),
        ("REDIS_URL", "sentinel://user:secret@[::1]:26379,localhost/0"),
        ("DATABASE_URL", "postgresql://daybook@primary:5432,standby:5432/daybook?target_session_attrs=read-write"),
    ],
)
def test_one_address_may_name_several_hosts(name: str, value: str) -> None:
    Settings.from_env({**COMPLETE, name: value}, role="cli")


def test_each_of_several_hosts_is_checked() -> None:
    assert any(p.startswith("REDIS_URL") for p in problems({**COMPLETE, "REDIS_URL": "sentinel://a:26379,b:none/0"}))
