"""The public names and their modules, for lazy_loader and type checkers; ASCII only."""

from .analysis.cost import cost as cost
from .analysis.predictions import predict as predict
from .data.image_files import read_paths as read_paths
from .data.sample_images import sample as sample
from .gates.block import block_of as block_of
from .gates.capture import Capture as Capture
from .gates.capture import Reading as Reading
from .gates.errors import NotFiniteValues as NotFiniteValues
from .gates.errors import PartlyFound as PartlyFound
from .gates.find import find_gates as find_gates
from .gates.find import survey as survey
from .gates.gate import Gate as Gate
from .gates.insert_gates import insert_gates as insert_gates
from .model.capture import capture as capture
from .model.loading import load as load
from .model.loading import load_checkpoint as load_checkpoint
from .model.model import Model as Model
from .profiles.class_profiles import ClassProfiles as ClassProfiles
from .profiles.class_profiles import open_profiles as open_profiles
from .profiles.merge import merge as merge
from .profiles.profile import profile as profile
from .reports.compose import report as report
from .reports.report import Report as Report
from .weights.head import Head as Head
