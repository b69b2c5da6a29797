"""A headless Chromium, controlled through its DevTools pipe: only the browser needs to be installed."""

import fcntl
import json
import os
import select
import shutil
import signal
import time

NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable", "chrome")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # it reads only our own file, often as root in a container, where the sandbox does not start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
KEYS = {
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Space": {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " "},
}


def find():
    """Return the path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One browser with one page; use it in a ``with`` statement.

    ``events`` holds everything the page reported so far: requests, what the console said, exceptions.
    """

    def __init__(self, path, profile):
        self.path, self.profile = path, profile
        self.events = []
        self._number, self._session, self._received = 0, None, b""

    def __enter__(self):
        commands, self._commands = (_high(one) for one in os.pipe())
        self._replies, replies = (_high(one) for one in os.pipe())
        nothing = os.open(os.devnull, os.O_RDWR)
        # the browser reads commands from descriptor 3 and replies on 4
        duplicates = [
            (os.POSIX_SPAWN_DUP2, old, new)
            for old, new in ((nothing, 0), (nothing, 1), (nothing, 2), (commands, 3), (replies, 4))
        ]
        arguments = [self.path, *SWITCHES, f"--user-data-dir={self.profile}", "about:blank"]
        self.pid = os.posix_spawn(self.path, arguments, os.environ, file_actions=duplicates, setpgroup=0)
        for one in (commands, replies, nothing):
            os.close(one)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        os.killpg(self.pid, signal.SIGKILL)  # the group is the browser's own
        os.waitpid(self.pid, 0)
        os.close(self._commands)
        os.close(self._replies)

    def open(self, address):
        """Open a page and wait until everything in it is loaded."""
        start = len(self.events)
        said = self._call("Page.navigate", url=address)
        assert "errorText" not in said, said
        self._until(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events[start:]))

    def run(self, script):
        """Return the value of a JavaScript expression; a promise is waited for."""
        said = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def press(self, name):
        """Press and release a key, as a user does."""
        self._call("Input.dispatchKeyEvent", type="keyDown", **KEYS[name])
        if name != "Tab":  # which acts when it goes down
            self._call("Input.dispatchKeyEvent", type="keyUp", **KEYS[name])

    def click(self, element):
        """Click into the middle of the element that a JavaScript expression names."""
        place = self.run(
            f"(() => {{ const one = {element}; one.scrollIntoView({{block: 'center', behavior: 'instant'}}); "
            "const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def size(self, width, height):
        """Set the size of the window, in CSS pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def media(self, scheme="light", kind=""):
        """Set the preferred colour scheme and the medium (``print``)."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=kind, features=features)

    def picture(self):
        """Return a screenshot of the window, as the base64 text of a PNG file."""
        return self._call("Page.captureScreenshot", format="png")["data"]

    def addresses(self):
        """Return the addresses of all requests so far."""
        return [event["params"]["request"]["url"] for event in self.events if event["method"].endswith("BeSent")]

    def complaints(self):
        """Return what went wrong so far: errors, warnings and exceptions, as the browser words them."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in kinds]

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        _write(self._commands, json.dumps(message).encode() + b"\0")
        reply = self._until(lambda: self._reply_to(self._number))
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    def _reply_to(self, number):
        return next((event for event in self.events[-50:] if event.get("id") == number), None)

    def _until(self, condition, seconds=300.0):
        end = time.monotonic() + seconds
        while not (found := condition()):
            ready, _, _ = select.select([self._replies], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._replies, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError(f"{self.path} did not answer within {seconds:.0f} s, or ended")
            *whole, self._received = (self._received + part).split(b"\0")
            for one in whole:
                event = json.loads(one)
                self.events.append({"method": "", **event})
        return found


def _high(descriptor):
    """Move a descriptor out of the way of 0 to 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


def _write(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]
