import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "gates"))  # whose odd networks are edited here
