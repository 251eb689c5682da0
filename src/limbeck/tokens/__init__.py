"""Texts become token ids, and token ids become packed batches; no torch here.

In: texts, and a folder with `tokenizer.json`. Out: `Tokenized` (every text's ids end to end) and `TokenBatch` (some of
them, bounded by a token budget).
"""

from limbeck.tokens.batch import PaddedView as PaddedView
from limbeck.tokens.batch import TokenBatch as TokenBatch
from limbeck.tokens.batch import Tokenized as Tokenized
from limbeck.tokens.batch import batches as batches
from limbeck.tokens.stated import SMALLEST_LIMIT as SMALLEST_LIMIT
from limbeck.tokens.stated import TOKENIZER_CONFIG_NAME as TOKENIZER_CONFIG_NAME
from limbeck.tokens.stated import TOKENIZER_NAME as TOKENIZER_NAME
from limbeck.tokens.tokenizer import MODEL_MAX_TOKENS as MODEL_MAX_TOKENS
from limbeck.tokens.tokenizer import SPECIAL_TOKENS as SPECIAL_TOKENS
from limbeck.tokens.tokenizer import Token as Token
from limbeck.tokens.tokenizer import Tokenizer as Tokenizer
from limbeck.tokens.windows import ReadTexts as ReadTexts
from limbeck.tokens.windows import Window as Window
