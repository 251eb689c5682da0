"""Table: every dialect that is spoken, and every route. A new dialect is one file and its lines here."""

from limbeck.serving.dialects import health, hugging_face, kserve, model_info, open_inference, openai, own, tei
from limbeck.serving.routes import Endpoint, WireDialect

ENDPOINTS: tuple[Endpoint, ...] = (
    *own.OWN_ROUTES,
    *tei.TEI_ROUTES,
    *model_info.INFO_ROUTES,
    *hugging_face.HUGGING_FACE_ROUTES,
    *kserve.KSERVE_ROUTES,
    *openai.OPENAI_ROUTES,
    *open_inference.OPEN_INFERENCE_ROUTES,
    *health.HEALTH_ROUTES,
)
"""In the order in which paths are compared: `/v1/models/{model}:predict` before `/v1/models/{model}`."""
DIALECTS: tuple[WireDialect, ...] = tuple({one.dialect.name: one.dialect for one in ENDPOINTS}.values())
_PREFIXES: tuple[tuple[str, WireDialect], ...] = (("/v1/", openai.OPENAI), ("/v2", open_inference.OPEN_INFERENCE))


def dialect_of(path: str) -> WireDialect:
    """Return in whose words to say that a path is not there."""
    return next((dialect for prefix, dialect in _PREFIXES if path.startswith(prefix)), own.OWN)
