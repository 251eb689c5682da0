// Which keys a token sees: those of its own text, in slots.
#pragma once

namespace limbeck {

struct Span { int first, stop; };

}  // namespace limbeck
