"""Settings of a service: where it listens, its limits, and what else it does. They know no stage."""

from dataclasses import asdict, dataclass

from limbeck.errors import FaultLog, SettingsError

HIGHEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """How a model is served.

    Attributes:
        host: address to listen on. 127.0.0.1 answers this machine alone; 0.0.0.0 answers every machine that reaches
            this one, so give a key file then.
        port: port to listen on; 0 takes a free one.
        name: name under which clients ask for the model. Default: that of its folder.
        any_model_name: answer whatever name of a model a client gives, for clients that cannot be told another.
        max_body_bytes: maximum number of bytes of the body of a request.
        max_texts: maximum number of texts per request.
        max_characters: maximum number of characters per text.
        max_text_tokens: maximum number of tokens per text; a longer one is refused. Default: a text that is longer than
            the model reads is cut, which its answer says, unless the request says truncate=false.
        max_waiting_tokens: maximum number of tokens that wait or are computed at a time.
        max_wait_s: seconds that a request may wait for its turn, as predicted from the measured rate; one that would
            wait longer is refused at once and told when to come back.
        timeout_s: seconds after which a request is no longer worth an answer; a request may ask for fewer.
        header_timeout_s: seconds in which the head of a request must have come.
        body_timeout_s: seconds in which the body of a request must have come.
        keep_alive_s: seconds that an idle connection is kept open.
        max_connections: maximum number of open connections.
        drain_s: seconds after SIGTERM in which requests are still taken while readiness says no, so that those who
            send them notice.
        grace_s: seconds after SIGTERM in which accepted requests are answered; then the service ends.
        allowed_hosts: further host names by which requests may call the service, beside addresses and the name of this
            machine; a page in a browser cannot reach it by another name.
        key_file: file whose first line is the key that requests must bear. Default: the environment variable
            LIMBECK_SERVE_KEY, or no key where it is not set.
        log_texts: write the texts of requests on standard error, one line of JSON per request.
        page: show a page to try the model at /, and one about the routes at /docs.
        spare: keep a second engine loaded, which takes over at once when the first one dies; it takes the memory of
            one more model.
        watch: look at the model's folder, and serve what is written there next, as after SIGHUP.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    name: str | None = None
    any_model_name: bool = False
    max_body_bytes: int = 2_000_000
    max_texts: int = 1_024
    max_characters: int = 100_000
    max_text_tokens: int | None = None
    max_waiting_tokens: int = 1_000_000
    max_wait_s: float = 2.0
    timeout_s: float = 30.0
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    keep_alive_s: float = 5.0
    max_connections: int = 512
    drain_s: float = 2.0
    grace_s: float = 30.0
    allowed_hosts: tuple[str, ...] = ()
    key_file: str | None = None
    log_texts: bool = False
    page: bool = True
    spare: bool = True
    watch: bool = False

    def patience_s(self, asked_s: float | None) -> float:
        """Return the seconds that a request is worth an answer: what it asks for, where that is less than the limit."""
        return self.timeout_s if asked_s is None else min(asked_s, self.timeout_s)


def check_serving(settings: ServeSettings) -> None:
    """Refuse limits of a service that would let nothing through.

    Raises:
        SettingsError: gathers them.
    """
    faults = FaultLog()
    may_be_none = ("port", "drain_s", "max_wait_s")
    for name, value in asdict(settings).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            least = "0 or more" if name in may_be_none else "a number above 0"
            if value < 0 or (value == 0 and name not in may_be_none):
                faults.add(f"{name} = {value:g} is not possible: give {least}")
    if settings.port > HIGHEST_PORT:
        faults.add(f"port = {settings.port} is not possible: give 0 to {HIGHEST_PORT}")
    faults.raise_as(SettingsError, what="the settings are wrong", todo="correct them and run the command again")
