"""Packaging of tfx_privacy: the repository's root is the package."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent

# Listed, not found: proto/ has no __init__.py and find_packages would drop it.
ROOMS = (
    "proto",
    "signals",
    "signals.white_box",
    "attacks",
    "attacks.reference_scores",
    "reference_models",
    "reference_models.synthesis",
    "metrics",
    "verdict",
    "reports",
    "evaluation",
    "commands",
    "components",
    "components.privacy_evaluator",
    "components.privacy_gate",
    "components.reference_trainer",
    "pipelines",
)

# Where no version stands, TFX bounds it.
RUNTIME = (
    "tfx[kfp]==1.16.0",
    "apache-beam[gcp]==2.59.0",
    "tensorflow==2.16.2",
    "keras>=3.3,<4",
    "tf-keras<2.17",
    "ml-metadata",
    "tensorflow-data-validation",
    "tensorflow-metadata",
    "tensorflow-model-analysis",
    "tensorflow-transform",
    "tfx-bsl",
    "absl-py",
    "google-crc32c",
    "protobuf>=3.20.3,<5",
    "numpy>=1.26,<2",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "matplotlib>=3.8,<4",
    "jinja2>=3.1,<4",
    "click>=8.1,<9",
    "rich>=13",
    # TFX builds a wheel of a pipeline's module_file with these.
    "pip",
    "wheel",
    # tensorflow_hub, which TFX imports, needs pkg_resources; later ones come without.
    "setuptools<80",
)

GPU = ("tensorflow[and-cuda]==2.16.2",)

DEV = (
    "build",
    "grpcio-tools<1.49",  # the last protoc whose code works with protobuf 3.20
    "hypothesis",
    "import-linter",
    "mypy",
    "mypy-protobuf<3.4",  # the last for that protoc's protobuf
    "pytest",
    "pytest-timeout",
    "ruff",
    "types-protobuf",
    "uv",
)


def long_description() -> str:
    """The README, where the tree has one."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


setup(
    name="tfx-privacy",
    version=runpy.run_path(str(ROOT / "version.py"))["__version__"],
    description="Membership-inference evaluation and a privacy gate for TFX pipelines",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.11",
    # Said, so that setuptools leaves this file out of the package that lies around it: run by a
    # build front end it takes that one's script for the setup script.
    script_name="setup.py",
    package_dir={"tfx_privacy": "."},
    packages=["tfx_privacy", *(f"tfx_privacy.{room}" for room in ROOMS)],
    package_data={
        "tfx_privacy": ["py.typed"],
        "tfx_privacy.proto": ["*.proto", "*.pyi"],
        "tfx_privacy.reports": ["*.j2", "*.css", "*/*.j2", "*/*.css"],
    },
    include_package_data=False,
    zip_safe=False,
    install_requires=list(RUNTIME),
    extras_require={"gpu": list(GPU), "dev": list(DEV)},
    entry_points={"console_scripts": ["tfx-privacy = tfx_privacy.__main__:main"]},
    keywords=["tfx", "privacy", "membership inference", "machine learning", "tensorflow"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Security",
        "Typing :: Typed",
    ],
)
