# Two targets do all the set-up:  make lab  opens the course,  make test  tests all of it.
#
#   TORCH=cpu     the CPU build of PyTorch, about 200 MB; what a new environment gets
#   TORCH=cu130   the build for CUDA 13.0 (or another of the names on PyTorch's install page)
#   TORCH=pypi    whatever pip finds by itself; on Linux that comes with gigabytes of CUDA
#   PYTHON=...    the Python, 3.11 or newer, that the environment is made from
#
# Without TORCH an environment keeps the build that it has.
#
#   FAST=1        make test without its slow tests, and with the first lesson alone
#   JOBS=2        how many tests, and notebooks, make test runs at a time; each has one thread

PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(or $(patsubst $(VENV)/ready-%,%,$(firstword $(wildcard $(VENV)/ready-*))),cpu)
BIN = $(VENV)/bin
TESTED = torch==2.13.0
MODELS = $(basename $(notdir $(wildcard data/weights/*dncnn*.safetensors data/weights/ffdnet.safetensors)))
READY = $(VENV)/ready-$(TORCH)
JOBS ?= 2
NOTEBOOKS = $(if $(FAST),notebooks/00_start_here.ipynb,notebooks)
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
# $(call before,NAME) says how long the command took last time; $(call timed,NAME,COMMAND) runs it.
TOOK = $(VENV)/took-$(1)$(if $(FAST),-fast)
before = $(shell cat $(TOOK) 2>/dev/null)
timed = @start=$$(date +%s); $(2) && echo "; last time it took $$(($$(date +%s) - start)) s" > $(TOOK)

# The copy for a class has no tests, and no targets that need them, solutions or what instructors have.
WHOLE = $(wildcard tests)

.PHONY: help lab explore web book slides test notebooks train info clean

help:
	@echo "make lab        open the course in JupyterLab"
	@echo "make explore    the explorer alone, as a web page on this machine"
	@echo "make web        the explorer as files that any browser opens, without Python (needs npm)"
	@echo "make book       the course as a static site, in build/book"
	@echo "make slides     a deck of slides for each lesson, in build/slides (needs npm)"
	@echo "make train      train a network: make train RECIPE=dncnn-b"
	@echo "make info       this machine, the networks, the image sets"
ifeq ($(WHOLE),)
	@echo "make test       every notebook runs and gives what is stored in it; FAST=1: the first one"
else
	@echo "make editions   for a class: what students install, solutions, what nbgrader grades"
	@echo "make test       unit tests, then every notebook (make unit, make notebooks: one of the two);"
	@echo "                with FAST=1 a quick look"
	@echo "make benchmark  how fast this machine denoises, trains and explores"
	@echo "make tables     measure the networks again as the paper does (half an hour)"
	@echo "make sections   write the exercises of the lessons from their sources (for authors)"
	@echo "make execute    run the notebooks and store their outputs (for authors)"
	@echo "make lint       style of code and notebooks"
endif
	@echo "make clean      remove the environment and caches"

lab: $(READY)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=. \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

# A page that is closed ends its kernel; one whose browser was killed leaves it for ten minutes.
explore: $(READY)
	$(BIN)/voila notebooks/explorer.ipynb --Voila.ip=127.0.0.1 \
		--MappingKernelManager.cull_idle_timeout=600 --MappingKernelManager.cull_interval=60

web: $(READY)
	$(BIN)/python -m dncnn_lib.explorer.web build/explorer

book: $(READY)
	$(BIN)/python -m dncnn_lib book

slides: $(READY)
	$(BIN)/python -m dncnn_lib slides

test: $(if $(WHOLE),unit) notebooks
	@echo "== All tests passed."

notebooks: $(READY)
	@echo "== $(if $(WHOLE),2 of 2: )every notebook runs and gives what is stored in it (nbval)$(call before,notebooks)"
	$(call timed,notebooks,$(PYTEST) --nbval --nbval-current-env -p no:cacheprovider -W default -v $(NOTEBOOKS))

train: $(READY)
	$(if $(RECIPE),,$(error which network? make train RECIPE=NAME; make info lists the names))
	$(BIN)/python -m dncnn_lib train $(RECIPE)

info: $(READY)
	$(BIN)/python -m dncnn_lib info

ifneq ($(WHOLE),)
.PHONY: editions unit sections execute lint benchmark tables

editions: $(READY)
	$(BIN)/python -m dncnn_lib course

unit: $(READY)
	@echo "== 1 of 2: the library (unit tests)$(call before,unit)"
	$(call timed,unit,$(PYTEST) $(if $(FAST),-m "not slow"))

sections: $(READY)
	$(BIN)/python -m dncnn_lib.making.editions notebooks/*.ipynb

execute: $(READY)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb notebooks/solutions/*.ipynb
	$(BIN)/python -m dncnn_lib.making.notebooks notebooks/*.ipynb notebooks/solutions/*.ipynb

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

benchmark: $(READY)
	$(BIN)/python -m dncnn_lib benchmark
	$(BIN)/python tests/browser.py

tables: $(READY)
	$(BIN)/python -m dncnn_lib evaluate --paper --csv data/tables/quality.csv --model $(MODELS)
	$(BIN)/python data/record_priors.py

endif

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist *.egg-info

# Made again when a dependency changes; otherwise nothing is done. PyTorch comes first and from its
# own index, because elsewhere the Linux build is the one with gigabytes of CUDA packages.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is missing or older than 3.11; name another: make PYTHON=python3.12 lab"; exit 1; }
	@echo "== Making the environment in $(VENV) (PyTorch build: $(TORCH)); this takes a minute or two"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --retries 1 --no-deps --force-reinstall \
		$(TESTED) $(if $(filter pypi,$(TORCH)),,--index-url https://download.pytorch.org/whl/$(TORCH))
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lab,matlab,book,test]"
	@rm -f $(VENV)/ready-*
	@touch $@
