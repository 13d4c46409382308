from deimos.runs.artifacts import metrics_in
from deimos.train import metrics


def log(step: int, tokens: int) -> dict[str, float]:
    return {
        "epoch": step / 10,
        "loss": 10.0 - step,
        "grad_norm": 1.0,
        "learning_rate": 1e-3,
        "num_tokens": tokens,
    }


def test_going_on_takes_off_rows_that_are_about_to_be_done_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    first = metrics.Metrics(path, 0)
    for step in (1, 2, 3):
        first.append(step, log(step, 100 * step))
    path.write_bytes(path.read_bytes() + b'{"step": 4, "lo')  # killed while writing
    second = metrics.Metrics(path, 2)
    second.append(3, log(3, 100))  # a new session counts its own tokens from 0
    rows = metrics_in(path)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert [row["tokens"] for row in rows] == [100, 200, 300]
    assert rows[2]["seconds"] >= rows[1]["seconds"]


def test_starting_anew_starts_an_empty_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics.Metrics(path, 0).append(1, log(1, 5))
    metrics.Metrics(path, 0)
    assert metrics_in(path) == []


def test_summary_means_over_tenths(tmp_path):
    path = tmp_path / "metrics.jsonl"
    writer = metrics.Metrics(path, 0)
    for step in range(1, 21):
        writer.append(step, log(step, step))
    counts = metrics.summary(metrics_in(path))
    assert counts["steps"] == 20
    assert counts["tokens"] == 20
    assert counts["train_loss_first"] == 8.5
    assert counts["train_loss_last"] == -9.5


def test_summary_of_one_step(tmp_path):
    writer = metrics.Metrics(tmp_path / "m.jsonl", 0)
    writer.append(1, log(1, 7))
    counts = metrics.summary(metrics_in(tmp_path / "m.jsonl"))
    assert counts["train_loss_first"] == counts["train_loss_last"] == 9.0
