"""Write once: what becomes of ink that a child takes back. All rules, and the only place of them.

Ink is never deleted. Every stroke has one role, with its reason; a withdrawal is a state that a person can undo.

| role | what | how it comes about | is it read |
|---|---|---|---|
| `answer` | ink that stands | nothing took it back; `kept`: a person said so | yes |
| `withdrawn` | ink that was taken back, and what did it | the rules below; `by` names what did it | no |
| `redo` | ink in the field's redo box | by its place | instead of what was withdrawn |
| `scratch` | ink in a scratch area | by its place (`recognition/fields.py`) | never; nobody is unsure for it |
| `note` | ink of no field or beside all options | by its place; `undone`: see below | no |

| numbers, letters, words, signs | reason | what then |
|---|---|---|
| a scribble (4 turns) over earlier ink | `scribbled_out` | what lies under it is withdrawn |
| a scribble with nothing before it | – | it is ink |
| one line through several characters | `struck_out` | withdrawn (in a sign lines strike nothing) |
| two lines or a cross through one | `struck_out` | withdrawn |
| one line through one | `struck_out` | withdrawn if it sticks out and a new answer follows; else a doubt |
| a line or turns soon after a stroke | – | part of the character: bar of a 7, bows of a B |
| a character over an older one, covering it | `overwritten` | the older one is withdrawn |
| a character over an older one still to be seen | – | doubt `maybe_overwritten`, both are named |
| redo box written, nothing stands beside it | – | the redo box is the answer |
| redo box written, something stands beside it | – | doubt `both_boxes`, both are named |
| redo box written and withdrawn | as above | what stands in the field is the answer |

| option boxes | reason | what then |
|---|---|---|
| any mark, a fill too, where none is | – | the option is marked |
| ink over a mark within two seconds | – | emphasis |
| the same mark again, a ring, a tick | – | emphasis, however late |
| a scribble over an older mark, or over several | `scribbled_out` | all that it covers are no longer marked |
| a line, cross or scrawl over an older mark | `struck_out` | withdrawn if just one other option stands; else a doubt |
| a mark where one was withdrawn | – | marked after all |
| a scribble where times do not run on | – | doubt `order_only`: nobody can tell emphasis from withdrawal |

What all is withdrawn and has nothing after it is `unsure`, never `blank`. **Undo**: `keep` names strokes that were not
taken back, as a person says. A kept stroke stands whatever lies over it; a scribble or line that then takes back
nothing is a `note`; and one that is kept itself is ink.
"""

from recognition.withdrawal.characters import character_roles
from recognition.withdrawal.options import Form, Mark, OptionRoles, option_roles
from recognition.withdrawal.roles import Doubt, Role, Roles, StrokeRole, Why

__all__ = [
    "Doubt",
    "Form",
    "Mark",
    "OptionRoles",
    "Role",
    "Roles",
    "StrokeRole",
    "Why",
    "character_roles",
    "option_roles",
]
