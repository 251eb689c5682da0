// Which keys a token sees: those of its own text.
#pragma once

namespace limbeck {

struct Span { int first, stop; };

}  // namespace limbeck
