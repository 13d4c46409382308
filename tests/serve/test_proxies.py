"""The guide's nginx and caddy files, run: TLS in front, tokens as they come, a client that leaves."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import httpx2
import pytest
from page_server import ScriptedServer, event, thoughtful

pytestmark = pytest.mark.real
GUIDE = Path(__file__).parents[2] / "docs/guides/serve.md"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def block(language, port, upstream, folder):
    """The guide's file with this machine's ports and certificate, and nothing else changed."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for old, new in {
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/models.pem": f"{folder}/models.pem",
        "/etc/ssl/models.key": f"{folder}/models.key",
        "models.example.org {": f"https://localhost:{port} {{\n    tls {folder}/models.pem {folder}/models.key",
    }.items():
        text = text.replace(old, new)
    return text


def nginx(folder, port, upstream):
    text = (
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"{block('nginx', port, upstream, folder)} }}"
    )
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def caddy(folder, port, upstream):
    text = "{\n    admin off\n    auto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(text + block("caddy", port, upstream, folder))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request, tmp_path):
    """The scripted server, and the address of a TLS server in front of it."""
    if not shutil.which(request.param.__name__):
        pytest.skip(f"{request.param.__name__} is not installed here")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", tmp_path / "models.key", "-out", tmp_path / "models.pem",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    with ScriptedServer() as server:
        port, upstream = free_port(), server.port
        process = subprocess.Popen(
            request.param(tmp_path, port, upstream), stderr=subprocess.PIPE, cwd=tmp_path
        )
        try:
            wait_for(port, process)
            yield (
                server,
                f"https://localhost:{port}",
                ssl.create_default_context(cafile=tmp_path / "models.pem"),
            )
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port, process):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("it did not start")


def test_a_stream_comes_through_tls_as_it_is_written_and_ends_when_the_client_leaves(front):
    server, url, context = front
    server.script = [event({"content": "now"}), "hang"]
    with httpx2.Client(verify=context, timeout=20) as client:
        with client.stream("POST", f"{url}/v1/chat/completions", json={"messages": []}) as reply:
            assert reply.headers["x-deimos-mode"] == "on"
            assert b"now" in next(reply.iter_bytes()), "what was written came, though more is due"
            left = time.monotonic()
        end = left + 10
        while not server.left:
            assert time.monotonic() < end, "the model goes on for nobody"
            time.sleep(0.01)
        assert server.left[0] - left < 5
        server.script = thoughtful()
        reply = client.post(f"{url}/v1/chat/completions", json={"messages": []})
        assert reply.text.endswith("[DONE]\n\n")
        assert client.get(url + "/").text.startswith("<!doctype html>")
