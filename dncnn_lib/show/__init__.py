"""What people see: ``pictures`` and ``svg`` are pure, ``plots`` draws with matplotlib, ``panels``
puts the controls of ipywidgets over a picture."""
