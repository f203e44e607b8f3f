"""`shuxin NOUN VERB`: finds the noun's file, loads only that, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import typer

from cli.candidates import COMPLETE_VARIABLE, complete_words, words_in
from cli.language import language_of, speak
from cli.misuse import ClickException, report_misuse
from cli.output import DONE, CommandRefused, report
from cli.translated import language_before, translate_frame, translate_help

# Noun -> its line in `shuxin --help`. The noun's commands are in cli/NOUN.py, as `app`; a file is
# imported only when its noun is on the command line, so that help and completion stay fast.
NOUNS: dict[str, str] = {
    "net": "A local network: keys, genesis, configuration, processes.",
    "node": "One node: run it, ask it, look after its ledger.",
    "admin": "A node that runs here: its inside, log level, reload, stop (节点管理).",
    "gateway": "TLS with national algorithms in front of a node (国密网关).",
    "key": "Signing keys (密钥).",
    "ca": "An organization's certificates: issue, renew, revoke (证书).",
    "organization": "Organizations and their roots, on the chain (机构、根证书).",
    "certificate": "Certificates on the chain: register, revoke, list (证书).",
    "tx": "Transactions: send, show, prove.",
    "block": "Blocks and their certificates.",
    "event": "What contracts announce, in order.",
    "state": "What contracts hold: shown with its proof, and proved (状态).",
    "history": "What was: of a key, an account, a subject (历史记录).",
    "contract": "Contracts (合约): check, deploy, show, call, view.",
    "party": "Parties and their roles (相关方).",
    "multisig": "Accounts of which several members decide together (多签账户).",
    "proposal": "Proposals: who runs the chain, by which rules, and the votes on them (提案).",
    "policy": "What proposals need, by their kind: managers, organizations, time (表决策略).",
    "parameter": "What blocks may hold and how the chain beats, by height (参数).",
    "feature": "What contracts do only while it is switched on, by height (特性开关).",
    "validator": "The committee, its nodes, and accusations (委员会、共识节点、观察节点).",
    "tariff": "What services cost, in versions of the manager (收费标准).",
    "billing": "Metering records and statements (计量计费).",
    "rule": "Rules and plans of the stages, and limits of risk checks (规则、监测计划).",
    "oversight": "Who supervises whom, and whom operators engaged (监督管理).",
    "commission": "Work that operators give to whom they engaged, and results (委托).",
    "asset": "Hardware and software of an operator: certificates, history (软硬件资产).",
    "alert": "Alerts by checks and reports (预警).",
    "incident": "Incidents and emergency measures (应急处置).",
    "inquiry": "Audits asked of parties, and answers (审计问询).",
    "evaluation": "Periodic evaluation of parties (绩效评价).",
    "catalog": "Data catalog: registered data sets (数据目录).",
    "quality": "How good catalogued data is, and monitoring of it (数据质量、监测).",
    "demand": "Data demands, prescreen and review (数据需求、预审、审核).",
    "algorithm": "Algorithm images: proposed, vetted, disabled (算法镜像).",
    "grant": "Grants: who may use which data for what (授权).",
    "job": "Jobs: several tasks, planned, confirmed and scheduled (作业).",
    "task": "Computing tasks on granted data (任务).",
    "product": "Data products made by tasks (数据产品).",
    "deidentify": "De-identification of files, and its assessment (去标识化).",
    "agreement": "Service contracts of operator and consumer, signed by both (合同).",
    "delivery": "Delivery and acceptance of products (交付).",
    "evidence": "Evidence of every stage (存证).",
    "work": "What waits for your party, and the command that does it (待办).",
    "executor": "The daemon beside a party's data.",
    "dataset": "Data sets an executor holds (数据集).",
    "recovery": "Recovery plans after a fork beyond f (分叉恢复).",
    "audit": "Replay a ledger or check a proof, trusting only a genesis (审计).",
    "archive": "Folders of archives, to which nodes move old blocks (归档).",
    "scenario": "Appendix A of the standard, end to end.",
    "completion": "Completion of commands in bash, zsh and fish (命令补全).",
}
PROGRAM = "shuxin"
# Nouns that say a whole sentence: `shuxin work` is `shuxin work list`.
ALONE: dict[str, str] = {"work": "list"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    given, wanted = language_before(list(sys.argv[1:] if arguments is None else arguments))
    speak(wanted or language_of(os.environ))
    given = _completed(given)
    as_json = "--json" in given
    words = given
    if COMPLETE_VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # typer names it nowhere else

        completion_init()
        words = words_in(os.environ)
    command = typer.main.get_command(application(words))
    if COMPLETE_VARIABLE in os.environ:
        complete_words(command)  # type: ignore[arg-type]  # typer made it
    if "--help" in given or not given or len(given) == 1:
        translate_help(command)  # type: ignore[arg-type]  # typer made it
        translate_frame()
    try:
        end = command.main(args=given, prog_name=PROGRAM, standalone_mode=False)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except ClickException as misuse:
        return report_misuse(misuse, as_json=as_json)
    except typer.Abort:
        return report(CommandRefused("aborted", "nothing was done"), as_json=as_json)
    except Exception as error:
        return report(error, as_json=as_json)
    return end if isinstance(end, int) else DONE


def application(given: Sequence[str]) -> typer.Typer:
    root = typer.Typer(
        help="Shuxin (数信): authorized use of public data, with evidence of every step.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    root.callback()(_root_options)
    wanted = next((word for word in given if not word.startswith("-")), "")
    for noun, summary in NOUNS.items():
        app = _load(noun) if noun == wanted else _unloaded()
        root.add_typer(app, name=noun, help=summary, no_args_is_help=True)
    return root


def _completed(given: list[str]) -> list[str]:
    """With the verb of a noun that stands alone, or has nothing but options behind it."""
    place = next((place for place, word in enumerate(given) if not word.startswith("-")), None)
    verb = ALONE.get(given[place]) if place is not None else None
    if place is None or verb is None or given[place + 1 : place + 2] == [verb]:
        return given
    return [*given[: place + 1], verb, *given[place + 1 :]]


def _load(noun: str) -> typer.Typer:
    app = importlib.import_module(f"cli.{noun}").app
    assert isinstance(app, typer.Typer)
    return app


def _unloaded() -> typer.Typer:
    """Stands for a noun that is only listed."""
    app = typer.Typer()
    app.callback()(lambda: None)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"shuxin {version('shuxin')}")
        raise typer.Exit


def _root_options(
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and stop.",
        is_eager=True,
        callback=_show_version,
    ),
) -> None:
    """The option is carried out by its callback; nothing is left to do."""


if __name__ == "__main__":
    sys.exit(main())
