"""The commands on tables and models: `inspect` a table, `predict` its rows, `export` a model."""

from pathlib import Path
from typing import Any

import click

from slalom import shell
from slalom.errors import SlalomError

FOLDER = click.Path(path_type=Path)
FORMS = ["numpy", "torch", "onnx", "torch-training", "keras-training"]


@click.command(short_help="Say what a table is understood to be, column by column.")
@click.argument("file", type=FOLDER)
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--task", type=click.Choice(["auto", "regression", "classification"]), help="What is predicted.  [auto]")
@shell.reading
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
def inspect(file: Path, target: str | None, task: str | None, as_json: bool, **given: Any) -> int:
    """Say what FILE holds and what a race would make of it: every column with its type and what it becomes, and what
    to look at first: columns that give the answer away, rows that are there twice, rare classes. Nothing is trained.

    \b
    Examples:
      slalom inspect houses.csv --target price
      slalom inspect houses.csv --target price --columns houses.toml
    with in houses.toml, for columns of which you know better:
      zip = "category"
      remark = "drop"
    """
    from slalom import inspected, told
    from slalom.asked import about

    if not target:
        raise SlalomError(f"--target must be given: the column of {file} to predict.")
    found = inspected.inspect(file, target=target, task=task or "auto", **about(given))
    shell.show(shell.as_json(found.plain()) if as_json else told.inspection(found, shell.columns()))
    return 0


@click.command(short_help="Predict the rows of a table with a race's model.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("file", type=FOLDER)
@click.option("--out", type=FOLDER, help="A .csv file for the predictions.  [stdout]")
@click.option("--proba", is_flag=True, help="The probability of every class, too.")
@click.option(
    "--interval",
    type=float,
    metavar="LEVEL",
    help="Intervals, or sets of classes, that should hold this share of rows: 0.50, 0.51, … 0.99.",
)
@click.option("--single", "which", flag_value="single", help="By the winner's network.")
@click.option(
    "--ensemble", "which", flag_value="ensemble", help="By the mean of several.  [where the race showed a gain]"
)
@shell.dialect
@click.option("--quiet", "-q", is_flag=True, help="Nothing on stderr.")
def predict(
    folder: Path, file: Path, out: Path | None, proba: bool, interval: float | None, which: str | None, quiet: bool,
    **given: Any,
) -> int:  # fmt: skip
    """Predict every row of FILE with the model in DIR: a CSV, in the order of the rows.

    \b
    Examples:
      slalom predict runs/houses new_rows.csv --out predictions.csv
      slalom predict runs/flowers new_rows.csv --proba
      slalom predict runs/houses new_rows.csv --interval 0.9
      slalom predict runs/houses new_rows.csv --single
    """
    from slalom.asked import about
    from slalom.told import predictions, write

    reading = about(given).get("reading", {})
    frame = predictions(folder, file, proba=proba, interval=interval, which=which, reading=reading)
    if out is None:
        shell.show(frame.write_csv(), raw=True)
        return 0
    write(frame, out, source=file)
    if not quiet:
        click.echo(f"{len(frame):,} rows predicted: {out}", err=True)
    return 0


@click.command(short_help="Write a race's model as files that need no Slalom.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="Which format to write.")
@click.option("--out", type=FOLDER, required=True, metavar="PATH", help="A new folder, or for onnx a new file.")
@click.option("--single", "which", flag_value="single", help="The winner's network.")
@click.option("--ensemble", "which", flag_value="ensemble", help="Several.  [where the race showed a gain]")
@click.option("--quiet", "-q", is_flag=True, help="Nothing on stdout.")
def export(folder: Path, form: str, out: Path, which: str | None, quiet: bool) -> int:
    """Write the model in DIR, with all that makes numbers of raw columns, as files that predict without Slalom, and
    check them against it on 1,000 made rows with missing cells and unseen words. Or write a script that trains the
    winner again from the raw file.

    \b
    numpy            predict.py and rows.py, readable and with no need but NumPy;
                     model.json and weights.npz
    torch            the same with torch_net.py, whose nets are modules of PyTorch
    onnx             one file for any runtime of ONNX; wants pip install 'slalom[onnx]'
                     to be written
    torch-training   train.py, a script for PyTorch that trains the same recipe again
                     from the raw file of the race, and rows.npz, which rows train
    keras-training   the same for Keras

    \b
    Examples:
      slalom export runs/houses --to numpy --out houses_model
      python houses_model/predict.py new_rows.csv
      slalom export runs/houses --to onnx --out houses.onnx
      slalom export runs/houses --to torch-training --out again
      python again/train.py
    """
    from slalom.exports import numpy_files, onnx_file, scripts
    from slalom.told import model_in

    library, _, training = form.partition("-")
    if training:
        if which:
            raise SlalomError(f"--{which} says nothing to --to {form}: a script trains the winner's network.")
        file, rows = scripts.export(folder, library, out)
        if not quiet:
            shell.show(
                f"{file} trains the winner again. What it makes of the {rows:,} rows is what Slalom made of them."
            )
        return 0
    model = model_in(folder, which)
    if form == "onnx":
        rows, far = onnx_file.export(model, out)
        said = f"The model is in {out}"
    else:
        names, rows, far = numpy_files.export(model, out, form)
        said = f"{', '.join(names)} are in {out}"
    if not quiet:
        shell.show(f"{said}. Checked on {rows:,} made rows: predictions differ by at most {far:.2g}.")
    return 0
