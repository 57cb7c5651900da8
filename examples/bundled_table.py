"""Writes a table that scikit-learn ships as a CSV file: real data to race on without a download.

python examples/bundled_table.py breast_cancer build/breast_cancer.csv
slalom race build/breast_cancer.csv --target diagnosis --seconds 30
"""

import argparse
import csv
from pathlib import Path

from sklearn import datasets

# name: (loader, the name of the target's column)
TABLES = {
    "breast_cancer": (datasets.load_breast_cancer, "diagnosis"),  # 569 rows, 30 columns, 2 classes
    "wine": (datasets.load_wine, "cultivar"),  # 178 rows, 13 columns, 3 classes
    "diabetes": (datasets.load_diabetes, "progression"),  # 442 rows, 10 columns, a number
}


def write(name: str, path: Path) -> None:
    """Write the table with the target as its last column; classes by their names."""
    loader, target = TABLES[name]
    bunch = loader()
    labels = [bunch.target_names[code] for code in bunch.target] if "target_names" in bunch else bunch.target.tolist()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([column.replace(" ", "_") for column in bunch.feature_names] + [target])
        rows.writerows([*row, label] for row, label in zip(bunch.data.tolist(), labels, strict=True))
    print(f"{path}: {len(labels)} rows, {len(bunch.feature_names)} columns, target {target}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("name", choices=TABLES)
    arguments.add_argument("path", type=Path)
    given = arguments.parse_args()
    write(given.name, given.path)
