from deimos.engines.base import Capabilities as Capabilities
from deimos.engines.base import Done as Done
from deimos.engines.base import Engine as Engine
from deimos.engines.base import Job as Job
from deimos.engines.base import Progress as Progress
from deimos.engines.base import Token as Token
from deimos.graders.check import check as check
from deimos.registry import engine as engine
from deimos.registry import grader as grader
from deimos.registry import source as source
from deimos.runs.artifacts import load_run as load_run
from deimos.types import Completion as Completion
from deimos.types import Prompt as Prompt
from deimos.types import Sampling as Sampling
from deimos.types import Verdict as Verdict

__version__: str
