"""Where a script turns FP8 on by other means: what is found in its text."""

from __future__ import annotations

import pytest

from tests.settings.test_script import read

SURE = {
    "sys.modules": "import sys, torchao.float8\nsys.modules['torchao.float8'].convert_to_float8_training(m)",
    "vars": "import torchao.float8 as f\nvars(f)['convert_to_float8_training'](m)",
    "__dict__": "import torchao.float8 as f\nf.__dict__['convert_to_float8_training'](m)",
    "f-string": "import torchao.float8 as f\nn = 'float8'\ngetattr(f, f'convert_to_{n}_training')(m)",
    "if True": "import torchao.float8 as f\nif True:\n    f.convert_to_float8_training(m)",
    "else of a loop": "import torchao.float8 as f\nfor i in x:\n    pass\nelse:\n    f.convert_to_float8_training(m)",
    "finally": "import torchao.float8 as f\ntry:\n    pass\nfinally:\n    f.convert_to_float8_training(m)",
    "try of groups": "import torchao.float8 as f\ntry:\n    f.convert_to_float8_training(m)\nexcept OSError as te:\n    pass",
    "chosen name": "import torchao.float8 as f\nc = None\nc = f.convert_to_float8_training\nc(m)",
    "alias import": "import torchao.float8 as f8\nm = f8.convert_to_float8_training(m)",
    "from as": "from torchao.float8 import convert_to_float8_training as c\nc(m)",
    "chain": "import torchao\ntorchao.float8.convert_to_float8_training(m)",
    "getattr": "import torchao.float8 as f8\ngetattr(f8, 'convert_to_float8_training')(m)",
    "getattr concat": "import torchao.float8 as f8\nn='convert_to_' + 'float8_training'\ngetattr(f8, n)(m)",
    "importlib": "import importlib\nimportlib.import_module('torchao.float8').convert_to_float8_training(m)",
    "import_module from": "from importlib import import_module as im\nte = im('transformer_engine.pytorch')\nwith te.fp8_autocast():\n    pass",
    "func": "def main():\n    from transformer_engine import pytorch as te\n    with te.autocast(enabled=True):\n        pass\nmain()",
    "try": "try:\n    import transformer_engine.pytorch as te\nexcept ImportError:\n    te = None\nwith te.fp8_autocast(enabled=True): pass",
    "reassign": "import transformer_engine.pytorch as te\nf = te.fp8_autocast\nwith f(): pass",
    "partial": "import functools, transformer_engine.pytorch as te\nf = functools.partial(te.fp8_autocast, enabled=True)\nwith f(): pass",
    "quantize f8": "from torchao.quantization import quantize_, Float8DynamicActivationFloat8WeightConfig as C\nquantize_(m, C())",
    "quantize f8 var": "from torchao.quantization import quantize_, Float8DynamicActivationFloat8WeightConfig as C\ncfg=C()\nquantize_(m, cfg)",
    "quantize old": "from torchao.quantization import quantize_, float8_dynamic_activation_float8_weight\nquantize_(m, float8_dynamic_activation_float8_weight())",
    "unsloth": "from unsloth import FastLanguageModel\nm,t = FastLanguageModel.from_pretrained('x', load_in_fp8=True)",
    "msamp": "import msamp\nmodel, opt = msamp.initialize(model, opt, opt_level='O2')",
    "globals": "from transformer_engine.pytorch import fp8_autocast\nwith globals()['fp8_autocast'](): pass",
    "dict table": "import transformer_engine.pytorch as te\nT={'a': te.fp8_autocast}\nwith T['a'](): pass",
    "decorator": "import transformer_engine.pytorch as te\n@te.fp8_autocast(enabled=True)\ndef f(): pass\nf()",
    "exitstack": "import transformer_engine.pytorch as te, contextlib\ns=contextlib.ExitStack()\ns.enter_context(te.fp8_autocast(enabled=True))",
    "accel helper": "from accelerate.utils import convert_model_to_fp8_ao\nconvert_model_to_fp8_ao(m)",
    "walrus": "import transformer_engine.pytorch as te\nif (f := te.fp8_autocast): pass\nwith f(): pass",
    "tuple": "import transformer_engine.pytorch as te\nf, g = te.fp8_autocast, 1\nwith f(): pass",
    "lambda": "import transformer_engine.pytorch as te\nf = lambda: te.fp8_autocast(enabled=True)\nwith f(): pass",
    "nested import try": "def f():\n    try:\n        from torchao.float8 import convert_to_float8_training\n    except ImportError: return\n    convert_to_float8_training(m)\nf()",
    "main guard": "from torchao.float8 import convert_to_float8_training\ndef main():\n    convert_to_float8_training(m)\nif __name__ == '__main__':\n    main()",
    "unsloth f8 training": "from unsloth import FastModel\nm = FastModel.from_pretrained('x', full_finetuning=True, float8_training=True)",
}
PERHAPS = {
    "match": "import torchao.float8 as f\nmatch x:\n    case 1:\n        f.convert_to_float8_training(m)",
    "else": "import torchao.float8 as f\nif x:\n    pass\nelse:\n    f.convert_to_float8_training(m)",
    "except": "import torchao.float8 as f\ntry:\n    pass\nexcept OSError:\n    f.convert_to_float8_training(m)",
    "conditional expression": "import torchao.float8 as f\nf.convert_to_float8_training(m) if x else None",
    "and": "import torchao.float8 as f\nx and f.convert_to_float8_training(m)",
    "one of two": "import torchao.float8 as f\n(f.convert_to_float8_training if x else g)(m)",
    "one or the other": "import torchao.float8 as f\n(x or f.convert_to_float8_training)(m)",
    "made name handed on": "import transformer_engine.pytorch as te\nuse(getattr(te, name))",
    "in a mapping": "train({'precision': 'fp8'})",
    "keyword of a class": "import transformer_engine.pytorch as te\nclass A(B, layer=te.Linear):\n    pass",
    "default": "import transformer_engine.pytorch as te\ndef g(x, *, context=te.fp8_autocast, y):\n    pass",
    "long chain": "import transformer_engine.pytorch as te\n"
    + "".join(f"a{i} = a{i + 1}\n" for i in range(12))
    + "a12 = te.fp8_autocast\na0()",
    "never called": "import torchao.float8 as f\ndef g():\n    f.convert_to_float8_training(m)",
    "package handed on": "import transformer_engine.pytorch as te\nsetup(m, te)",
    "options used": "import torchao.float8 as f\nc = f.Float8LinearConfig()\nsetup(m, c)",
    "handlers of a trainer": "k = [AORecipeKwargs()]\nTrainer(m, k)",
    "lists": "import transformer_engine.pytorch as te\nk = [te.fp8_autocast]\nk[0]()",
    "of a result": "build().enable_fp8()",
    "a result": "import transformer_engine.pytorch as te\nte.make()()",
    "walrus": "import transformer_engine.pytorch as te\nuse(c := te.fp8_autocast)",
    "a name of many parts": f"import torchao\ngetattr(torchao, {' + '.join(['n'] * 20)})()",
    "many parts": "import torchao\ntorchao" + ".a" * 20 + ".fp8()",
    "another command": "import subprocess\nsubprocess.run(['accelerate', 'launch', '--fp8_format', 'HYBRID', 'x.py'])",
    "a constant": "P = 'fp8'\nmodel = build(P)",
    "a keyword of its arguments": "TrainingArguments('out', use_fp8=True)",
    "more words": "import sys\nsys.argv += ['--fp8-format', 'hybrid']",
    "growing": "import transformer_engine.pytorch as te\n" + "te = te.a\n" * 3 + "te.b()",
    "getattr made": "import torchao.float8 as f8\ngetattr(f8, input())(m)",
    "dunder": "__import__('torchao.float8', fromlist=['x']).convert_to_float8_training(m)",
    "star": "from transformer_engine.pytorch import *\nwith fp8_autocast(): pass",
    "arg": "import transformer_engine.pytorch as te\nwith te.fp8_autocast(enabled=args.x): pass",
    "cond": "from torchao.float8 import convert_to_float8_training as c\nif args.x:\n    c(m)",
    "telinear": "import transformer_engine.pytorch as te\nl = te.Linear(4,4)",
    "quantize ?": "import torchao\ntorchao.quantize_(m, cfg)",
    "quantize wo": "from torchao.quantization import quantize_, Float8WeightOnlyConfig\nquantize_(m, Float8WeightOnlyConfig())",
    "unsloth dict": "kw = {'load_in_fp8': True}\nm = F.from_pretrained('x', **kw)",
    "unsloth dict2": "kw = dict(load_in_fp8=True)\nm = F.from_pretrained('x', **kw)",
    "finegrained": "from transformers import FineGrainedFP8Config\nm = M.from_pretrained('x', quantization_config=FineGrainedFP8Config())",
    "torchaoconfig": "from transformers import TorchAoConfig\nm = M.from_pretrained('x', quantization_config=TorchAoConfig('float8_dynamic_activation_float8_weight'))",
    "local": "from mylib.fp8 import setup\nsetup(m)",
    "local rel": "from .float8_tools import setup\nsetup(m)",
    "lightning": "import lightning as L\nf = L.Fabric(precision='transformer-engine')",
    "cast": "import torch\nw = w.to(torch.float8_e4m3fn)",
    "argparse fp8": "p.add_argument('--fp8', action='store_true')\nargs=p.parse_args()\nif args.fp8:\n    x.go()",
    "exec": "exec(open('x').read())",
    "eval str": "eval('te.fp8_autocast')()",
    "class base": "import transformer_engine.pytorch as te\nclass B(te.TransformerLayer): pass",
    "accel wrap": "from accelerate.utils import apply_fp8_autowrap as w\nm=w(m, h)",
    "accel conv": "from accelerate.utils.transformer_engine import convert_model as w\nw(m)",
    "set attr": "model.config.use_fp8 = True",
    "subscript": "cfg['fp8'] = True",
    "subscript str": "cfg['precision'] = 'fp8'",
    "default arg": "import transformer_engine.pytorch as te\ndef f(c=te.fp8_autocast):\n    with c(): pass\nf()",
    "for": "import transformer_engine.pytorch as te\nfor c in [te.fp8_autocast]:\n    with c(): pass",
    "self": "import transformer_engine.pytorch as te\nclass A:\n    def __init__(self): self.ctx = te.fp8_autocast\n    def go(self):\n        with self.ctx(): pass",
    "return guard": "from torchao.float8 import convert_to_float8_training\ndef main():\n    if not a.x:\n        return\n    convert_to_float8_training(m)\nmain()",
    "scaled mm": "import torch\ntorch._scaled_mm(a, b)",
    "setattr": "setattr(cfg, 'fp8', True)",
}
NEVER = {
    "a sampler": "from torch.utils.data import RandomSampler\ns = RandomSampler(d)\nt = own.numSamples(d)",
    "mxfp4": "from transformers import Mxfp4Config\nc = Mxfp4Config(dequantize=True)\nload(quantization_config=c)",
    "annotations": "x: Float8Tensor\ndef g(y: te.Linear) -> Float8Tensor:\n    pass",
    "options alone": "import torchao.float8 as f\nc = f.Float8LinearConfig()",
    "handlers alone": "TERecipeKwargs",
    "a method of what is no module": "x.autocast()\n(lambda: 0)()\nt[0]()",
    "made module": "__import__(name).go()",
    "a release": "from importlib.metadata import version\nprint(version('transformer_engine'))",
    "choices": "C = ['no', 'bf16', 'fp8']\np.add_argument('--mp', choices=C)\nassert x in C",
    "for people": "wandb.init(tags=['fp8'], name='fp8')\nTrainingArguments('fp8-run', run_name='fp8')",
    "a test": "import transformer_engine.pytorch as te\nif isinstance(m, te.Linear):\n    pass",
    "a variable": "import os\nos.environ['NVTE_FP8_DPA_BWD'] = '1'\nos.environ['X'] = 'fp8'",
    "off in a mapping": "train({'fp8': False, **more})",
    "an empty quantize": "config.precision = 'bf16'",
    "off": "import transformer_engine.pytorch as te\nwith te.fp8_autocast(enabled=False): pass",
    "version": "import transformer_engine as te\nprint(te.__version__)",
    "available": "from accelerate.utils import is_fp8_available\nif is_fp8_available(): print('x')",
    "quantize int": "from torchao.quantization import quantize_, Int8WeightOnlyConfig\nquantize_(m, Int8WeightOnlyConfig())",
    "unsloth no": "from unsloth import FastLanguageModel\nm,t = FastLanguageModel.from_pretrained('x', load_in_fp8=False)",
    "int4cfg": "from transformers import TorchAoConfig\nm = M.from_pretrained('x', quantization_config=TorchAoConfig('int4_weight_only'))",
    "plain local": "from mylib.tools import setup\nsetup(m)",
    "cmp": "import torch\nif w.dtype == torch.float8_e4m3fn: print(1)",
    "cmp2": "if accelerator.mixed_precision == 'fp8': pad = 16",
    "argparse": "import argparse\np=argparse.ArgumentParser()\np.add_argument('--mixed_precision', choices=['no','fp16','bf16','fp8'])",
    "handler": "from accelerate import Accelerator\nfrom accelerate.utils import TERecipeKwargs\na = Accelerator(mixed_precision='fp8', kwargs_handlers=[TERecipeKwargs()])",
    "handler var": "h=[TERecipeKwargs(fp8_format='E4M3')]\na = Accelerator(mixed_precision='fp8', kwargs_handlers=h)",
    "handler+ao config": "from torchao.float8 import Float8LinearConfig\nc=Float8LinearConfig(enable_fsdp_float8_all_gather=False)\nh=[AORecipeKwargs(config=c)]\na = Accelerator(mixed_precision='fp8', kwargs_handlers=h)",
    "deepspeed fp quant": "from deepspeed.ops.fp_quantizer import FP_Quantize\nq = FP_Quantize()",
    "plain": "import torch\nfrom accelerate import Accelerator\na=Accelerator()\nm=torch.nn.Linear(1,1)\nm=a.prepare(m, o)\nm.train()\nfor i in range(3):\n    loss = m(x).mean(); a.backward(loss)\n",
    "amp": "import torch\nwith torch.autocast('cuda', dtype=torch.bfloat16): pass\nwith accelerator.autocast(): pass",
}


@pytest.mark.parametrize("text", SURE.values(), ids=SURE)
def test_what_computes_in_fp8(text: str) -> None:
    first, *_ = read(text).own
    assert first.sure
    assert first.describe().startswith("train.py:")
    assert "turns FP8 on itself" in first.describe()


@pytest.mark.parametrize("text", PERHAPS.values(), ids=PERHAPS)
def test_what_may(text: str) -> None:
    own = read(text).own
    assert own
    assert not any(one.sure for one in own)
    assert "may turn FP8 on itself" in own[0].describe()


@pytest.mark.parametrize("text", NEVER.values(), ids=NEVER)
def test_words_alone(text: str) -> None:
    assert read(text).own == ()
