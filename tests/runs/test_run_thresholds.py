"""Thresholds of a model of any number of labels: chosen on what it did not learn from, written, taken out; refusals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.shaped import LABELS, STEPS, shaped
from tests.tiny_models import tiny_encoder

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.label_thresholds import LabelThresholds, choose_label_thresholds
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.thresholds import Goal
from limbeck.model.bundle import Bundle, load_bundle, save_bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import LinearHead
from limbeck.model.pooling import Block
from limbeck.runs.run_thresholds import clear_thresholds, write_any_thresholds
