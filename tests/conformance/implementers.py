"""Which classes of the source have the methods of a protocol: what a contract must be run over."""

import ast
from functools import cache

from tests.source import trees


def implementers(*methods: str) -> set[str]:
    """Return the names of the classes in `src` that define all of these methods themselves, but for protocols.

    Args:
        methods: names, or with the names of the first arguments: "losses(self, rows".
    """
    return {
        name
        for name, signatures in _classes()
        if all(any(one.startswith(method) for one in signatures) for method in methods)
    }


@cache
def _classes() -> list[tuple[str, list[str]]]:
    return [
        (node.name, [_signature(one) for one in node.body if isinstance(one, ast.FunctionDef)])
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not any(ast.unparse(base).startswith("Protocol") for base in node.bases)
    ]


def _signature(function: ast.FunctionDef) -> str:
    return f"{function.name}({', '.join(argument.arg for argument in function.args.args)})"
