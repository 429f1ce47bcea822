"""One py_test for every test file of a folder."""

def pytest_tests(deps):
    """Declares them, each with what else lies in the folder: conftest.py, helpers, data.

    They run with the python3 that is first on the PATH, which `make bazel` makes
    the virtual environment's.

    Args:
      deps: the rooms that the tests import.
    """
    for test in native.glob(["test_*.py"]):
        native.py_test(
            name = test[:-len(".py")],
            srcs = [
                test,
                "//tests:run_pytest.py",
            ],
            args = ["$(rootpath %s)" % test],
            data = native.glob(
                ["**"],
                exclude = [
                    "**/__pycache__/**",
                    "BUILD",
                    "test_*.py",
                ],
            ),
            legacy_create_init = False,
            main = "//tests:run_pytest.py",
            deps = deps + ["//tests:support"],
        )
