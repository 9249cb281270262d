# Two targets do all the set-up:  make lab  opens the course,  make test  tests all of it.
#
#   TORCH=cpu     (default) the CPU build of PyTorch, about 200 MB
#   TORCH=cu130   the build for CUDA 13.0 (or another of the names on PyTorch's install page)
#   TORCH=pypi    whatever pip finds by itself; on Linux that comes with gigabytes of CUDA
#   PYTHON=...    the Python, 3.11 or newer, that the environment is made from

PYTHON ?= python3
TORCH ?= cpu
VENV ?= .venv
BIN = $(VENV)/bin
MODELS = $(basename $(notdir $(wildcard data/weights/*.safetensors)))
READY = $(VENV)/ready-$(TORCH)

.PHONY: help lab test unit notebooks execute lint benchmark tables train clean

help:
	@echo "make lab        open the course in JupyterLab"
	@echo "make test       unit tests, then every notebook"
	@echo "make benchmark  how fast this machine denoises and trains"
	@echo "make tables     measure the networks again as the paper does (half an hour)"
	@echo "make train      train a recipe: make train RECIPE=dncnn-b"
	@echo "make execute    run the notebooks and store their outputs (for authors)"
	@echo "make lint       style of code and notebooks"
	@echo "make clean      remove the environment and caches"

lab: $(READY)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_start_here.ipynb

test: unit notebooks
	@echo "== All tests passed."

unit: $(READY)
	@echo "== 1 of 2: the library (unit tests)"
	$(BIN)/python -m pytest

notebooks: $(READY)
	@echo "== 2 of 2: every notebook runs and gives what is stored in it (nbval)"
	$(BIN)/python -m pytest --nbval --nbval-current-env -p no:cacheprovider -W default -v notebooks

execute: $(READY)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

benchmark: $(READY)
	$(BIN)/python -m dncnn_lib benchmark

tables: $(READY)
	$(BIN)/python -m dncnn_lib evaluate --paper --csv data/tables/quality.csv --model $(MODELS)

train: $(READY)
	$(BIN)/python -m dncnn_lib train $(RECIPE)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist *.egg-info

# Made again when a dependency changes; otherwise nothing is done. PyTorch comes first and from its
# own index, because elsewhere the Linux build is the one with gigabytes of CUDA packages.
$(READY): pyproject.toml constraints.txt
	@echo "== Making the environment in $(VENV) (PyTorch build: $(TORCH)); this takes a minute or two"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --retries 1 --no-deps --force-reinstall -c constraints.txt \
		torch $(if $(filter pypi,$(TORCH)),,--index-url https://download.pytorch.org/whl/$(TORCH))
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lab,matlab,test]"
	@rm -f $(VENV)/ready-*
	@touch $@
