from setuptools import find_packages, setup

setup(
    name="old_habits-example-plugin",
    version="1.0.0",
    description="Averages readings, and shows what plugins of the older generation are used to",
    packages=find_packages(),
    install_requires=["komand"],
    scripts=["bin/komand_old_habits"],
)
