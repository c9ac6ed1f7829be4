"""Laws of the credential rules: what is found, and what raises no false alarm."""

from __future__ import annotations

import pytest

from nl2code_checks.static import examine

KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5q"
MAIN = "\ndef main():\n    return 0\n\nmain()\n"

SECRETS = [
    f'client = OpenAI("{KEY}")',
    f"# left from a trial: {KEY}",
    'AWS = "AKIA2E0A8F3B244C9986"',
    'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzz"',
    'headers = {"Authorization": "Bearer 8f14e45fceea167a5a36dedd4bea2543"}',
    'gh = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"',
    'slack = "xoxb-123456789012-abcdefghijkl"',
    'pem = """-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"""',
    'url = "postgresql://etl:hunter2@db.internal:5432/sales"',
    'url = f"postgresql://etl:hunter2@{host}/sales"',
    'dsn = "host=db user=etl password=hunter2"',
    'dsn = "Server=db;Uid=etl;Pwd=hunter2;"',
    'password = "hunter2"',
    'self.db_password: str = "hunter2"',
    'connect(host="db", password="hunter2")',
    'config = {"apiKey": "f3a9c1d27b"}',
    'os.environ["API_KEY"] = "f3a9c1d27b"',
    'key = os.environ.get("API_KEY", "f3a9c1d27b")',
    'parser.add_argument("--db-password", default="hunter2")',
    'def load(user, secret="s3cr3t-1"):\n    pass',
    'def load(*, api_key=b"f3a9c1d27b"):\n    pass',
    'user, password = "etl", "hunter2"',
    'token = "8f14e45fceea167a5a36dedd4bea2543"',
]

DULL = [
    'password = os.environ["DB_PASSWORD"]',
    'password = os.environ.get("DB_PASSWORD", "")',
    'api_key = os.getenv("API_KEY")',
    'API_KEY = "OPENAI_API_KEY"',
    'parser.add_argument("--password", help="password of the database, e.g. hunter2")',
    'parser.add_argument("--api-key", default=None)',
    'password = "changeme"',
    'password = "<your password>"',
    'api_key = "your-api-key"',
    'api_key = "${API_KEY}"',
    'secret_key = "secret_key"',
    'password = getpass.getpass("password: ")',
    'columns = {"token": "holdout", "password": "password"}',
    'token = "holdout"',
    'tokens = ["mean", "median"]',
    'token_column = "f3a9c1d27b88aa00ff"',
    'password_file = "/run/secrets/db1"',
    'url = "https://example.com/a:b@c"',
    'url = "postgresql://etl:{password}@db/sales"',
    'url = f"postgresql://etl:{password}@db/sales"',
    'url = "postgresql://user:password@localhost/db"',
    'print("password=%s" % password)',
    '"""Give the password as --password=VALUE, or PASSWORD=… in the environment."""',
    'query = "select * from users where password = :password and user = :user"',
    'model = "sk-learn-style-estimator-name-without"',
    'compass_heading = "north-by-northwest-123456"',
    'sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
    "random_key = np.random.default_rng(7)",
    'sort_key = "days_last_purch_2"',
]


@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_is_found_on_its_line_and_never_repeated(line: str) -> None:
    found = examine(f"import os\n{line}{MAIN}")
    assert [(f["code"], f["line"]) for f in found] == [("credentials", 2)]
    assert not any(part in found[0]["message"] for part in ("hunter2", KEY, "f3a9c1d27b", "8f14e45f", "s3cr3t"))


@pytest.mark.parametrize("line", DULL)
def test_what_only_looks_like_a_secret_raises_no_alarm(line: str) -> None:
    assert examine(f"import os\n{line}{MAIN}") == []


def test_many_secrets_are_bounded() -> None:
    found = examine("\n".join(f'password{i} = "hunter{i}"' for i in range(100)) + MAIN)
    assert len(found) == 10
