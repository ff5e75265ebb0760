"""kiln serve and programs that others made, by hand. Usage: tests/serve_clients.py KILN STEP...
    triton    the official client            (PyPI: tritonclient[http])
    browser   the page, in headless Chromium (Debian: chromium; PyPI: websocket-client)
    speed     beside mlserver with onnxruntime, by wrk (Debian: wrk; PyPI: mlserver, onnxruntime, in the Python of --mlserver);
              --models NAME=FILE ... of one input and a free batch, --seconds for each figure
Prints a PASS or FAIL line for each test, and a table of what was measured."""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

MODELS = Path(__file__).resolve().parent.parent / "models"
FASHION = MODELS / "fashion_cnn/keras.onnx"
failures = 0


def check(name, problem):
    global failures
    print("FAIL" if problem else "PASS", name, problem or "", flush=True)
    failures += bool(problem)


class Server:
    def __init__(self, *words):
        self.p = subprocess.Popen([options.kiln, "serve", "--port=0", *map(str, words)], stdout=subprocess.PIPE, text=True)
        for line in self.p.stdout:
            if found := re.fullmatch(r"serving on http://(.*)/\n", line):
                self.at = found[1]
                return
        raise RuntimeError("it does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait()


def by_kiln(model, name, x):
    np.save("in.npy", x)
    subprocess.run([options.kiln, "run", model, "--input", f"{name}=in.npy", "--output", "out"], check=True, stdout=subprocess.DEVNULL)
    return np.load(next(Path("out").glob("*.npy")))


# -- tritonclient --


def triton():
    import tritonclient.http as http
    from tritonclient.utils import InferenceServerException

    x = np.random.default_rng(1).random((3, 28, 28, 1), np.float32)
    want = by_kiln(FASHION, "keras_tensor", x)
    with Server(f"fashion={FASHION}") as s, http.InferenceServerClient(s.at, concurrency=4) as c:
        check("triton.health", "" if c.is_server_live() and c.is_server_ready() and c.is_model_ready("fashion") and not c.is_model_ready("other") else "it is not ready")
        check("triton.metadata", "" if c.get_server_metadata()["name"] == "kiln" and c.get_model_metadata("fashion", "1")["outputs"][0]["shape"] == [-1, 10] else "they are others")
        index = c.get_model_repository_index()
        check("triton.index", "" if index == [{"name": "fashion", "version": "1", "state": "READY", "reason": ""}] else str(index))

        def given(binary):
            i = http.InferInput("keras_tensor", list(x.shape), "FP32")
            i.set_data_from_numpy(x, binary_data=binary)
            return [i]

        for name, binary, outputs in (
            ("binary", True, None),
            ("JSON", False, [http.InferRequestedOutput("Identity:0", binary_data=False)]),
            ("JSON to binary", False, [http.InferRequestedOutput("Identity:0", binary_data=True)]),
            ("binary to JSON", True, [http.InferRequestedOutput("Identity:0", binary_data=False)]),
        ):
            got = c.infer("fashion", given(binary), outputs=outputs, request_id="7")
            check(f"triton.infer.{name}", "" if got.as_numpy("Identity:0").tobytes() == want.tobytes() and got.get_response()["id"] == "7" else "the numbers are others")
        top = c.infer("fashion", given(True), outputs=[http.InferRequestedOutput("Identity:0", class_count=2)]).as_numpy("Identity:0")
        check("triton.classification", "" if top.shape == (3, 2) and [int(t[0].decode().split(":")[1]) for t in top] == want.argmax(1).tolist() else str(top))
        several = [c.async_infer("fashion", given(True)) for _ in range(64)]
        check("triton.async", "" if all(np.allclose(r.get_result().as_numpy("Identity:0"), want, rtol=1e-5, atol=1e-6) for r in several) else "the numbers are others")
        try:
            c.infer("fashion", [http.InferInput("other", [1], "FP32").set_data_from_numpy(np.zeros(1, np.float32))])
            check("triton.error", "there is none")
        except InferenceServerException as e:
            check("triton.error", "" if "no input 'other'" in str(e) else str(e))


# -- a browser --


class Browser:
    """Chromium, by its debugging protocol."""

    def __init__(self, url):
        import websocket

        self.p = subprocess.Popen(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=9333", "--remote-allow-origins=*", "--window-size=1000,1400",
                                   f"--user-data-dir={os.getcwd()}/profile", url], stderr=subprocess.DEVNULL)  # fmt: skip
        for _ in range(200):
            try:
                page = next(t for t in json.load(urllib.request.urlopen("http://127.0.0.1:9333/json")) if t["type"] == "page")
                break
            except (OSError, StopIteration):
                time.sleep(0.2)
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=60)
        self.number, self.log = 0, []
        for domain in ("Log", "Runtime", "DOM", "Page"):
            self.call(f"{domain}.enable")

    def call(self, method, **words):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": words}))
        while True:
            got = json.loads(self.socket.recv())
            if got.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.log.append(json.dumps(got["params"])[:400])
            if got.get("id") == self.number:
                return got.get("result", got)

    def run(self, script):
        return self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"].get("value")

    def wait(self, script):
        for _ in range(150):
            if value := self.run(script):
                return value
            time.sleep(0.2)
        raise RuntimeError(f"never: {script}; {self.log}")

    def give(self, selector, path):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def shoot(self, path):
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def end(self):
        self.p.terminate()
        self.p.wait()


def png(x):
    """A grey picture."""
    import struct
    import zlib

    rows = b"".join(b"\0" + row.tobytes() for row in x)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", x.shape[1], x.shape[0], 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


NAMES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def browser():
    import onnx

    m = onnx.load(FASHION)
    onnx.helper.set_model_props(m, {"kiln.classes.Identity:0": "\n".join(NAMES), "kiln.normalize.keras_tensor": "unit"})
    onnx.save(m, "named.onnx")
    x = np.zeros((28, 28), np.uint8)
    x[4:26, 6:12] = x[4:26, 16:22] = x[4:9, 6:22] = 200
    Path("x.png").write_bytes(png(x))
    want = by_kiln(FASHION, "keras_tensor", (x / 255).astype(np.float32).reshape(1, 28, 28, 1))[0]
    with Server("fashion=named.onnx", f"mlp={MODELS / 'mnist_mlp/keras.onnx'}") as s:
        b = Browser(f"http://{s.at}/")
        try:
            b.wait("document.querySelectorAll('#model option').length == 2")
            b.give("input[type=file]", Path("x.png").resolve())
            b.wait("document.querySelector('canvas').width == 28 && !document.querySelector('canvas').hidden")
            b.run("document.querySelector('#send').click()")
            first = b.wait("document.querySelector('#outputs tbody tr')?.innerText")
            score = float(re.search(r"([0-9.]+) %", first)[1])
            check("browser.picture", "" if NAMES[want.argmax()] in first and abs(score - 100 * want.max()) < 0.06 else f"{first} for {want}")
            b.shoot(Path(options.shots) / "picture.png")
            b.run("""document.querySelector('#model').selectedIndex = 1; document.querySelector('#model').dispatchEvent(new Event('change'));
                     const kind = document.querySelector('fieldset select'); kind.value = 'numbers'; kind.dispatchEvent(new Event('change'));
                     document.querySelector('textarea').value = JSON.stringify([Array(28).fill(Array(28).fill(.5))]); document.querySelector('#send').click()""")
            first = b.wait("document.querySelector('#outputs tbody tr')?.innerText")
            check("browser.numbers", "" if re.search(r"\d+\s+[0-9.]+ %", first) else first)
            b.run("document.querySelector('textarea').value = '1, 2, 3'; document.querySelector('#send').click()")
            said = b.wait("document.querySelector('#outputs .error')?.innerText")
            check("browser.error", "" if "dimension" in said or "elements" in said else said)
            check("browser.accessible", b.run("""[...document.querySelectorAll('input, select, textarea')].filter(e => !e.labels.length).length
                  + [...document.querySelectorAll('canvas, meter')].filter(e => !e.getAttribute('aria-label')).length || ''"""))  # fmt: skip
            check("browser.log", "; ".join(line for line in b.log if "favicon" not in line and "400" not in line))
            b.shoot(Path(options.shots) / "numbers.png")
        finally:
            b.end()


# -- beside mlserver --

RUNTIME = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

class Ort(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options, providers=["CPUExecutionProvider"])
        self.names = [o.name for o in self.session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = {i.name: NumpyCodec.decode_input(i) for i in payload.inputs}
        y = self.session.run(None, x)
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=[NumpyCodec.encode_output(n, v) for n, v in zip(self.names, y)])
"""


class Mlserver:
    def __init__(self, name, path, batch):
        self.at = "127.0.0.1:8765"
        root = Path(tempfile.mkdtemp(dir="."))
        (root / "runtime.py").write_text(RUNTIME)
        (root / "settings.json").write_text(json.dumps({"debug": False, "http_port": 8765, "grpc_port": 8766, "metrics_port": 8767, "parallel_workers": 0, "use_structured_logging": False}))
        settings = {"name": name, "implementation": "runtime.Ort", "parameters": {"uri": str(Path(path).resolve()), "version": "1"}}
        if batch:
            settings.update(max_batch_size=32, max_batch_time=0.001)
        (root / "model-settings.json").write_text(json.dumps(settings))
        self.p = subprocess.Popen([Path(options.mlserver).parent / "mlserver", "start", "."], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                if urllib.request.urlopen(f"http://{self.at}/v2/models/{name}/ready").status == 200:
                    return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("mlserver does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait()


def load(at, name, body, headers, clients):
    """Requests in a second, the milliseconds of half of them and of 99 %, by wrk."""
    Path("body").write_bytes(body)
    lines = ['local f = io.open("body", "rb")', "wrk.body = f:read('*a')", 'wrk.method = "POST"', *(f'wrk.headers["{k}"] = "{v}"' for k, v in headers.items())]
    lines.append("""done = function(s, l) io.write(string.format("RESULT %f %f %f %d\\n", s.requests / s.duration * 1e6, l:percentile(50) / 1e3, l:percentile(99) / 1e3,
        s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout)) end""")
    Path("load.lua").write_text("\n".join(lines))
    done = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{options.seconds}s", "--timeout=30s", "-s", "load.lua", f"http://{at}/v2/models/{name}/infer"], capture_output=True, text=True, check=True)
    rate, p50, p99, errors = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", done.stdout).groups()
    if errors != "0":
        raise RuntimeError(f"{errors} errors: {done.stdout}")
    return float(rate), float(p50), float(p99)


def speed():
    import onnx

    for word in options.models:
        name, path = word.split("=", 1)
        v = onnx.load(path, load_external_data=False).graph.input[0]
        shape = [1, *(d.dim_value for d in v.type.tensor_type.shape.dim[1:])]
        x = np.random.default_rng(1).random(shape, np.float32)
        request = {"inputs": [{"name": v.name, "datatype": "FP32", "shape": shape, "data": x.flatten().tolist()}]}
        text = json.dumps(request).encode()
        head = json.dumps({"inputs": [{"name": v.name, "datatype": "FP32", "shape": shape, "parameters": {"binary_data_size": x.nbytes}}], "parameters": {"binary_data_output": True}}).encode()
        ways = {"JSON": (text, {"Content-Type": "application/json"}), "binary": (head + x.tobytes(), {"Inference-Header-Content-Length": str(len(head))})}
        servers = {"kiln": lambda: Server(f"{name}={path}"), "mlserver": lambda: Mlserver(name, path, False), "mlserver, batches": lambda: Mlserver(name, path, True)}
        if not options.mlserver:
            servers = {"kiln": servers["kiln"]}
        print(f"{name}: {len(text)} bytes of JSON, {len(ways['binary'][0])} binary; requests a second, ms of 50 % and 99 %")
        for way, (body, headers) in ways.items():
            for server, start in servers.items():
                if way == "binary" and server != "kiln":  # which mlserver 1.7 does not take over HTTP
                    continue
                line = []
                with start() as s:
                    try:
                        load(s.at, name, body, headers, 1)  # plans, caches
                        for clients in (1, 8, 32):
                            line.append("{:9.1f} {:7.2f} {:7.2f}".format(*load(s.at, name, body, headers, clients)))
                    except RuntimeError as e:
                        line.append(str(e).replace("\n", " ")[:100])
                print(f"  {way:6} {server:18}", " | ".join(line), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("kiln", type=lambda p: str(Path(p).resolve()))
parser.add_argument("steps", nargs="+", choices=["triton", "browser", "speed"])
parser.add_argument("--mlserver", help="its Python")
parser.add_argument("--models", nargs="+", default=[f"mnist_mlp={MODELS / 'mnist_mlp/keras.onnx'}"])
parser.add_argument("--seconds", type=int, default=5)
parser.add_argument("--shots", default=".", help="where pictures of the page go")
options = parser.parse_args()
options.shots = str(Path(options.shots).resolve())
options.models = [f"{w.split('=', 1)[0]}={Path(w.split('=', 1)[1]).resolve()}" for w in options.models]
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    for step in options.steps:
        {"triton": triton, "browser": browser, "speed": speed}[step]()
sys.exit(1 if failures else 0)
