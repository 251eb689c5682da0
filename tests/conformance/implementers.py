"""Which classes of the source have the methods of a protocol: what a contract must be run over."""

import ast

from tests.source import SOURCE


def implementers(*methods: str) -> set[str]:
    """Return the names of the classes in `src` that define all of these methods themselves, but for protocols.

    Args:
        methods: names, or with the names of the first arguments: "losses(self, rows".
    """
    # To parse the whole package takes seconds: most files do not have the words.
    words = [f"def {method.partition('(')[0]}(" for method in methods]
    texts = [path.read_text("utf-8") for path in SOURCE.rglob("*.py")]
    return {
        name
        for text in texts
        if all(word in text for word in words)
        for name, signatures in _classes(ast.parse(text))
        if all(any(one.startswith(method) for one in signatures) for method in methods)
    }


def _classes(tree: ast.Module) -> list[tuple[str, list[str]]]:
    return [
        (node.name, [_signature(one) for one in node.body if isinstance(one, ast.FunctionDef)])
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not any(ast.unparse(base).startswith("Protocol") for base in node.bases)
    ]


def _signature(function: ast.FunctionDef) -> str:
    return f"{function.name}({', '.join(argument.arg for argument in function.args.args)})"
