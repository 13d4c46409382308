"""Pairs of an answer and a reference, by the kind of mistake that a grader makes with them."""

import pytest

from deimos.graders.math import math

T, F = True, False
KINDS = {
    "letter case": [
        ("x^2+X", "x^2+x", F), (r"\frac{v}{V+v}", "1/2", F), ("a+A", "2a", F), ("R-r", "r-R", F), ("p+P", "2p", F),
        ("A+2a", "a+2A", F),
    ],
    "letter case of products": [
        ("RR", "Rr", F), ("TT", "Tt", F), ("XX", "xX", F), ("PPQ", "PpQ", F), ("aabb", "AAbb", F),
        (r"\text{AA}", r"\text{Aa}", F), ("mgh-MgH", "MgH-mgh", F), ("abC-ABc", "ABc-abC", F),
        ("-aBc+AbC", "AbC-aBc", T), ("yes", r"\text{Yes}", T), ("Even", r"\text{even}", T), ("Rr", r"\text{Rr}", T),
        (r"\text{None}", r"\text{none}", T), ("Amy", r"\text{Amy}", T), ("c", "C", T),
    ],
    "derivatives": [
        ("y/x=2x", r"\frac{dy}{dx}=2x", F), ("x/t", r"\frac{dx}{dt}", F), ("f/x", r"\frac{d}{dx}f", F),
        ("y/x^2", r"\frac{d^2y}{dx^2}", F), ("y/x", "dy/dx", F), ("dy/dx=2x", r"\frac{dy}{dx}=2x", T),
        (r"\frac{dy}{dx}=2x", "2x", T), (r"\frac{d}{2}", "d/2", T),
    ],
    "percent and units": [
        (r"\frac{\pi}{6}^\circ", r"\frac{\pi}{6}", F), (r"\frac{\pi}{6}\text{ degrees}", r"\frac{\pi}{6}", F),
        (r"\frac{\pi}{6}\%", r"\frac{\pi}{6}", F), (r"5\%", r"\$5", F), (r"5\%", r"5\text{ cents}", F),
        (r"60\%", r"60^\circ", F), (r"25^\circ", r"25\%", F), (r"25\text{ cm}", r"25\%", F), ("2500", r"25\%", F),
        (r"5\text{ apples}", r"\$5", F), (r"20\%", "20", T), (r"20\%", "1/5", T), ("20", r"20\%", T), ("0.2", r"20\%", T),
        ("60", r"60^\circ", T), (r"60^\circ", "60", T), (r"5\text{ dollars per ticket}", r"\$5", T), ("5", r"\$5", T),
    ],
    "the empty set": [
        (r"\{\emptyset\}", r"\emptyset", F), (r"\emptyset", r"\{\emptyset\}", F), (r"\{\}", r"\varnothing", T),
        (r"\{\{\}\}", r"\emptyset", F), (r"\emptyset", r"\{\}", T),
    ],
    "primes": [
        ("h'(x)", "h''(x)", F), ("2f'(1)", "f'(1)+f'(1)", T),
        ("f''(x)", "f'(x)", F), ("y'", "y", F), ("f'(x)+g(x)", "g(x)+f'(x)", T), ("g'(0)", "g(0)", F),
    ],
    "true equations": [
        ("1=1", "2^3=8", F), ("2^3=8", "2^3=8", T), ("8=2^3", "2^3=8", T), ("5=5", "x=5", F), ("x=x", "x=5", F),
    ],
    "names of variables": [
        ("t=3", "x=3", F), ("a=3", "b=3", F), ("y=2x", "z=2x", F), ("x=3", "X=3", T), ("y=2x+1", "2x+1", T),
        ("2x+1", "y=2x+1", T), ("f(x)=2x+1", "2x+1", T),
    ],
    "equations": [
        ("2x-y+1=0", "y=2x+1", T), ("y=2x+2", "y=2x+1", F), ("4x^2+9y^2=36", r"\frac{x^2}{9}+\frac{y^2}{4}=1", T),
        ("x^2+y^2=4", r"\frac{x^2}{4}+\frac{y^2}{4}=1", T), ("x=3", "x=4", F),
    ],
    "solved or not": [
        ("x+4=7", "x=3", F), ("2x=6", "x=3", F), ("x=6/2", "x=3", T), ("x=2+1", "x=3", F), ("3=x", "x=3", T),
    ],
    "unevaluated numbers": [
        ("12+30", "42", F), (r"2\cdot 21", "42", F), ("6*7", "42", F), (r"\binom{9}{2}", "36", F),
        (r"\gcd(84,126)", "42", F), (r"\frac{84}{2}", "42", T), (r"\sqrt{1764}", "42", T), ("42.0", "42", T),
        (r"\lfloor 42.5\rfloor", "42", F), ("|{-42}|", "42", F), ("-(-42)", "42", F), ("3!", "6", F), ("2^3", "8", T),
        (r"4.2\times 10^1", "42", T), (r"\sqrt{50}+\sqrt{8}", r"7\sqrt{2}", F), ("(1+i)(2-i)", "3+i", F),
        (r"\frac{5}{2-i}", "2+i", F), ("2(1+2i)", "2+4i", T), (r"\frac{1}{2}+\frac{1}{3}", r"\frac56", F),
        ("1+1", "2", F), (r"\arctan 1", r"\frac{\pi}{4}", F), (r"\pi/4", r"\frac{\pi}{4}", T),
        (r"\frac{\pi}{2}-\frac{\pi}{4}", r"\frac{\pi}{4}", F), (r"0.25\pi", r"\frac{\pi}{4}", T),
        (r"\ln 2+\ln 3", r"\ln 6", T), (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}", T),
        (r"2\sqrt{3}+1", r"1+\sqrt{12}", T), (r"\frac{1+\sqrt5}{2}", r"\frac12+\frac{\sqrt5}{2}", T),
        ("10!", "3628800", F), ("3628800", "10!", T), (r"\log_2 8", "3", F), (r"\sin 30^\circ", r"\frac12", F),
        (r"7\sqrt{2}", r"\sqrt{98}", T), (r"1\frac12", "1.5", T), ("3/2", "1.5", T),
    ],
    "and, or": [
        ("x>2 and x<1", "x<1 or x>2", F), ("x<1 or x>2", "x>2 or x<1", T),
        (r"x<1 \text{ or } x>2", r"(-\infty,1)\cup(2,\infty)", T), ("1<x<2", "x>1 and x<2", T),
        ("x>1, x<2", "(1,2)", T), ("x<1, x>2", "x<1 or x>2", T), ("a<b and b<c", "a<b or b<c", F),
    ],
    "order of letters": [
        (r"\angle CBA", r"\angle ABC", T), (r"\triangle ABC", r"\triangle BCA", F), ("ACB", "ABC", F),
        (r"\overline{BA}", r"\overline{AB}", F), ("xyz", "zyx", T), ("DAB", "BAD", F), ("abcd", "dcba", T),
        ("even", "neve", F), (r"\vec{AB}", r"\vec{BA}", F),
    ],
    "signs": [
        (r"1\pm\sqrt2, -1\pm\sqrt3", r"1\pm\sqrt2,-1\pm\sqrt2", F), (r"\pm1,\pm2", "1,-1,2,-2", T),
        (r"\pm 1, \pm 2", "1,-1,2,3", F), (r"\pm 1,\pm 2,\pm 3", "1,-1,2,-2,3,3", F),
        (r"1+\sqrt{19}, 1-\sqrt{19}", r"1 \pm \sqrt{19}", T), (r"x = 1 \pm \sqrt{19}", r"1 \pm \sqrt{19}", T),
        (r"\frac{-1\pm\sqrt5}{2}", r"\frac{-1+\sqrt5}{2},\frac{-1-\sqrt5}{2}", T),
        (r"\frac{-1\pm\sqrt5}{2}", r"\frac{1\pm\sqrt5}{2}", F),
    ],
    "units": [
        (r"5\text{ cm}^2", r"5\text{ cm}^3", F), (r"5\text{ cm}^2", r"5\text{ square centimeters}", T),
        (r"5 \text{ radians}", r"5^\circ", F), ("30", r"30^\circ", T), ("30 degrees", r"30^\circ", T),
        (r"5\text{ m/s}", r"5\text{ m/s}^2", F), (r"5\text{ m}", r"5\text{ m}^2", F),
        ("5 cubic feet", "5 square feet", F), (r"5~\mathrm{kg}", r"5\ \text{kg}", T), ("5", "5 units", T),
    ],
    "letters that are no units": [
        (r"\pi r", r"\pi r^2", F), ("2g", "2m", F), ("4t", "4s", F), ("x+3c", "x+3", F), ("6h", "6", F),
        ("5cm", "5", T), ("5 m", "5", F), ("12s", "12", F), ("5L", "5", F),
    ],
    "small numbers": [
        ("10^{-30}", "10^{-31}", F), (r"\frac{1}{15!}", r"\frac{1}{16!}", F), ("e^{-50}", "e^{-51}", F),
        ("1e-20", "1e-21", F), ("0", "10^{-40}", F), (r"\sqrt{2}+10^{-50}", r"\sqrt2", F),
    ],
    "upright constants": [
        (r"3+4\mathrm{i}", "3+4i", T), ("3+4", r"3+4\mathrm{i}", F), (r"\mathrm{e}^x", "e^x", T),
        ("e", r"\mathrm{e}", T), (r"\mathrm{i}", "i", T), ("1", r"\mathrm{i}", F), (r"\text{e}", "e", T),
        (r"3-4\text{i}", "3+4i", F),
    ],
    "times and speeds": [
        ("3 am", "3 pm", F), ("3:00", "3:00 PM", F), ("15:00", "3:00 PM", T), (r"\text{1:03 PM}", "1:03 p.m.", T),
        ("1:03 am", r"\text{1:03 PM}", F), ("50 km/h", "50 mph", F), ("50 mph", r"50\text{ miles per hour}", T),
        (r"4:51:06\text{ p.m.}", r"4\!:\!51\!:\!06 \text{ p.m.}", T),
    ],
    "lists": [
        ("(1,2),(3,4)", "(3,4),(1,2)", T), ("a=1,b=2", "b=2,a=1", T), ("a=1,b=2", "a=2,b=1", F),
        ("x=1 or x=2", "1,2", T), ("x=2 and y=1", "(1,2)", F), ("x=1 and y=2", "(1,2)", T), ("1; 2", "1,2", T),
        ("(1,2) and (4,3)", "(1,2),(3,4)", F), (r"x\in\{1,2\}", "1,2", T), (r"\{x=1,x=2\}", "1,2", T),
        ("x_1=1,x_2=2", "1,2", T), ("x_1=2,x_2=1", "1,2", F), ("1,2,3,3", "1,2,3", F), ("2 or -2", r"\pm2", T),
    ],
    "e-notation": [
        ("6.5e3", "6500", T), (r"6.5\cdot10^3", "6.5E3", T), ("6.4e3", "6500", F), ("1.0e-3", "0.001", T),
        ("2e-6", r"2\times10^{-6}", T),
    ],
    "digit groups": [
        (r"25\,000", "25000", T), ("2,500", "2{,}500", T), (r"0{,}75", r"\frac34", T),
        ("12345", r"12,\! 345", T), ("1234567", "1{,}234{,}567", T), ("1 234 567", "1234567", T),
    ],
    "ordinals": [
        ("7th", "7", T), (r"3^{\text{rd}}", "3", T), ("8th", r"7^{\text{th}}", F), ("21st", "21", T),
        ("1", r"1^{\text{st}}", T),
    ],
    "factorials": [
        ("(n+1)!", r"(n+1)\cdot n!", T), (r"\frac{n!}{(n-2)!}", "n(n-1)", T), ("n!", "(n+1)!", F),
        (r"\frac{(2n)!}{n!n!}", r"\binom{2n}{n}", T), ("k!", "k", F),
    ],
    "intervals": [
        (r"x\ge 5", r"[5,\infty)", T), ("x>5", r"[5,\infty)", F), (r"(-\infty,3)", "x<3", T),
        ("(2,5]", r"2<x\le5", T), (r"\{x \mid x > 5\}", r"(5,\infty)", T), (r"\{x : -2 \le x \le 7\}", "[-2,7]", T),
        (r"x\in(5,\infty)", "x>5", T), (r"\mathbb{R}", r"(-\infty,\infty)", T),
        (r"x\neq 3", r"(-\infty,3)\cup(3,\infty)", T), (r"\mathbb{R}\setminus\{3\}", r"(-\infty,3)\cup(3,\infty)", T),
        ("y>5", "x>5", F), ("[-2,7)", r"-2 \le x \le 7", F), (r"\{x\in\mathbb{R}\mid x\ne 0\}", r"x\neq 0", T),
        ("5<x", "x>5", T), (r"\text{all real numbers}", r"\mathbb{R}", T),
    ],
    "dollars and degrees": [
        ("125", "$$125$$", T), ("7", "$x=7$", T), (r"\sin(60^\circ+x)", r"\sin(x+\pi/3)", T),
        (r"\tan 45^\circ x", r"\tan(\frac{\pi}{4}x)", T), (r"\cos(x+30)", r"\cos(x+30^\circ)", F),
    ],
    "dress": [
        (r"{\bf 3}", "3", T), (r"\color{blue}{3}", "3", T), (r"\textcolor{blue}{\frac12}", "0.5", T),
        (r"\underline{3}", "3", T), (r"\mathbf{x}", "x", T), (r"\mathrm{12}", "12", T), (r"\textbf{12}", "12", T),
        (r"\displaystyle \frac12", "0.5", T), (r"\bm{\pi}", r"\pi", T), (r"\colorbox{yellow}{7}", "7", T),
        (r"\Large 7", "7", T), (r"\bigl(1,2\bigr)", "(1,2)", T),
    ],
    "Unicode": [
        ("√3/2", r"\frac{\sqrt3}{2}", T), ("x³", "x^3", T), ("¾", "0.75", T), ("π", r"\pi", T), ("3·4", "12", F),
        ("2×10⁵", "200000", T), ("∛8", "2", T), ("(−∞, 3]", r"(-\infty,3]", T), ("x ≥ 2", r"x\ge2", T),
        ("θ", r"\theta", T), ("{1, 2}", r"\{1,2\}", T), ("∅", r"\varnothing", T), ("1⁄2", "0.5", T), ("x₁", "x_1", T),
        ("½x", r"\frac{x}{2}", T), ("90°", "90", T),
    ],
    "percent and plain text": [
        ("5%", "0.05", T), (r"5\%", "5", T), ("0.5%", "0.05", F), ("sqrt(2)/2", r"\frac{\sqrt{2}}{2}", T),
        ("2*pi", r"2\pi", T), ("(x+1)^(1/2)", r"\sqrt{x+1}", T), ("infinity", r"\infty", T), ("x^10", "x^{10}", T),
        ("-x+1", "1-x", T),
    ],
    "others": [
        ("x=5y", "x=5", F), ("(1,2", "(1,2)", F), ("1,2)", "(1,2)", F), ("xy+1", "1+yx", T), ("5 apples", "5", T),
        ("5x", "5", F), ("five", "5", F), ("5!", "120", F), ("0.33", r"\frac13", F),
        ("0.3333333333333333", r"\frac13", F), ("3.14159", r"\pi", F), ("8.24", r"\approx 8.24 \text{ mph}", T),
        ("x=3 cm", "3", T), (r"\frac{x+2}{7}", r"\frac{1}{7}x+\frac27", T), ("152AB_{16}", "152AB_{16}", T),
        ("A5_{11}", r"\text{A5}_{11}", T), ("A, D", r"\text{A,D}", T), ("D,A", r"\text{A,D}", T),
        (r"\text{(B)}", "B", T), ("B", r"\text{(B)}", T), ("C", r"\text{(B)}", F),
        (r"480(1+\sqrt3)", r"480 + 480\sqrt{3}\text{ feet}", T), ("m+n=5", "5", T), ("x^2-5x=0", "0", F),
        ("3(x+1)(x-2)", "3x^2-3x-6", T), (r"\text{13}", "13", T), ("Friday", r"\text{Friday}", T),
        (r"\text{Monday}", r"\text{Sunday}", F), ("12 and 13", r"12\text{ and }13", T), ("1/2x", r"\frac{x}{2}", T),
        ("1/(2x)", r"\frac{1}{2x}", T), ("e^{2x}", "e^{2x}+C", F), (r"\frac{x^2}{2}+C", r"\frac{1}{2}x^2+C", T),
        ("1-x", "x-1", F), (r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", T),
        (r"\log x", r"\ln x", F),
    ],
}  # fmt: skip
"""Kind to (answer, reference, whether the answer is right)."""
MORE = [
    (r"3\mathrm{x}", "3", F), (r"3\mathrm{x}", "3x", T), (r"3\text{ m}", "3", T), (r"3\text{ cups of a drink}", "3", T), (r"3\text{q}", "3", F),
    ("2 xy", "2", F), ("2mg", "2", F), ("2", "2mg", F), (r"\frac{1}{2}mv^2", r"\frac12", F), (r"\frac{1}{2} mv^2", r"\frac12", F), ("3 ab", "3", F),
    (r"\frac{1}{2}ha", r"\frac12", F), ("5ft", "5", F), (r"\pi hr", r"\pi", F), ("2 Rh", "2", F), ("3 kx", "3", F), ("5 ft", "5", T), ("5 blue cars", "5", T),
    ("5 men", "5", T), ("5 mg", r"5\text{ mg}", T), ("10 years old now", "10", T), ("7 hr", r"7\text{ hours}", T), (r"v_{\max}", r"v_{\text{max}}", T),
    (r"\sqrt{2}+10^{-75}", r"\sqrt{2}", F), (r"\pi^{-160}", r"\pi^{-161}", F), (r"\sqrt{2}-\sqrt{2}", r"10^{-80}", F), ("x", r"x+\sin^2 x+\cos^2 x-1", T), (r"\tan x\cos x-\sin x", r"\sin^2 x+\cos^2 x-1", T), (r"10^{-70}x", r"\sin^2 x+\cos^2 x-1", F),
    
    (r"3\times 4", "12", F), ("12.0000000001", "12", F), ("11.9999999", "12", F), ("1.0e1", "10", T),
    (r"\frac{24}{2}", "12", T), ("144^{1/2}", "12", T), (r"\sqrt[3]{1728}", "12", T), (r"12\%", "12", T),
    ("12^1", "12", T), ("12!", "12", F), ("12i", "12", F), ("12e", "12", F), (r"12\pi", "12", F), ("12x", "12", F),
    ("-12", "12", F), ("12-0", "12", F), ("12=12", "12", T), ("(12)", "12", T), ("[12]", "12", T), ("{12}", "12", T),
    ("12,", "12", T), ("12;", "12", T), ("+12", "12", T), ("12.", "12", T), (r"\approx 12", "12", T),
    (r"12\text{ or so}", "12", F), (r"\text{about }12", "12", F), ("12?", "12", F), ("12...", "12", F),
    (r"\ldots,12", "12", F), ("10, 11, 12", "12", F), ("12 or 13", "12", F), (r"12\text{ (approximately)}", "12", F),
    (r"\sim 12", "12", F), (r"\le 12", "12", F), ("12+", "12", F), ("12-13", "12", F), (r"12\to", "12", F),
    (r"12\pm 1", "12", F), ("12/1", "12", T), ("0012", "12", T), ("1 2", "12", F), ("12:1", "12", F),
    ("12:00", "12", F), (r"12\ \text{or}\ 13", "12", F), (r"\text{twelve}", "12", F),
    (r"12 \text{ since } 3\cdot4=12", "12", F), ("x", "12", F), (r"\text{12}", "12", T), ("$12$", "12", T),
    (r"12\,000", "12", F), ("12{,}0", "12", T), ("1{,}2", "12", F), (r"y=-\frac{1}{2}x+3", "x+2y=6", T),
    ("x+2y=6", r"y=-\frac{1}{2}x+3", T), ("x+2y=7", r"y=-\frac{1}{2}x+3", F),
    (r"r=2\cos\theta", r"r=2\cos \theta", T), (r"\theta=\frac{\pi}{4}", r"\frac{\pi}{4}", T),
    ("x = -3, 2", "x=2, x=-3", T), ("x=-3,2", "2,-3", T), (r"x \in \{-3,2\}", "x=2,-3", T), ("n=5k", "5k", T),
    (r"-\infty", r"\infty", F), (r"\infty", r"-\infty", F), (r"+\infty", r"\infty", T), (r"(1,\infty)", "(1,2)", F),
    (r"(0,1)\cup(1,2)", "(0,2)", F), (r"[0,1]\cup[1,2]", "[0,2]", T),
    (r"(-\infty,0)\cup(0,\infty)", r"\mathbb{R}", F), (r"x>0\text{ and }y>0", "x>0, y>0", T),
    (r"x>0\text{ or }y>0", r"x>0\text{ and }y>0", F), (r"1<x\le 2", "(1,2]", T), (r"2\ge x>1", "(1,2]", T),
    (r"x\le2, x>1", "(1,2]", T), (r"\frac{x}{y}", "x/y", T), ("x/y/z", r"\frac{x}{yz}", T), ("2x^{2}y", "2yx^2", T),
    ("a^2-b^2", "(a-b)(a+b)", T), ("a^2+b^2", "(a+b)^2", F), (r"e^{\ln x}", "x", T),
    (r"\sin(2x)", r"2\sin x\cos x", T), (r"\sin 2x", r"\sin(2x)", T), (r"\cos^{-1}x", r"\arccos x", T),
    (r"\frac{1}{\cos x}", r"\sec x", T), (r"\ln\frac{a}{b}", r"\ln a-\ln b", T), (r"\log_{10}x", r"\log x", T),
    (r"\lg x", r"\log x", T), ("x^{-1/2}", r"\frac{1}{\sqrt{x}}", T), (r"\sqrt{a}\sqrt{b}", r"\sqrt{ab}", T),
    ("(x^2)^{1/2}", "|x|", T), ("2^{-n}", r"\left(\frac12\right)^n", T), ("n^2", "n(n-1)+n", T),
    (r"\binom{n}{2}", r"\frac{n(n-1)}{2}", T), (r"\frac{n(n+1)}{2}", r"\binom{n+1}{2}", T),
    (r"\sum_{k=1}^n k^2", r"\frac{n(n+1)(2n+1)}{6}", T), ("n!", "n(n-1)!", T), (r"\frac{(n+1)!}{n!}", "n+1", T),
    ("a_1+a_2", "a_2+a_1", T), ("a_1", "a_2", F), ("v_0 t", "vt", F), (r"\vec{v}", "v", F), (r"\bar{x}", "x", F),
    ("x'", "x", F), ("A^T", "A", F), ("AB", "BA", F), ("A^{-1}B", "BA^{-1}", T), (r"\mathbf{v}", "v", T),
    (r"\hat{x}", "x", F),
    ("P(X=3)=0.5", "0.5", T), (r"P(A \cup B) = \frac{1}{2}", "0.5", T), (r"|A \cap B| = 5", "5", T), (r"\mathbb{E}[X]=3", "3", T), ("f^{-1}(3)=5", "5", T),
    (r"\int_0^1 2x\,dx = 1", "1", T), (r"\int_0^1 2x\,dx", "1", F), (r"\lim_{x\to 0}\frac{\sin x}{x}=1", "1", T), ("x^2-x=0", "0", F), ("f(3)=0", "0", T), ("x=0", "0", T),
    (r"\Omega", r"\omega", F), (r"\Delta", r"\delta", F), (r"|x|=3", "3", T),
    (r"\text{The answer is } 12", "12", T), (r"\text{Answer: }12", "12", T), (r"\text{not }12", "12", F), ("x=2 or 3", "2,3", T), (r"x=2\text{ or }x=3", "3, 2", T),
    (r"{\it 12}", "12", T), (r"\text{more than } 12", "12", F), ("24 m^2", r"24\text{ m}^2", T), ("24 m^3", r"24\text{ m}^2", F), (r"5\pi\text{ cm}^2", r"5\pi\text{ cm}^3", F),
    ("4:30 p.m.", "4:30p..", T), ("4:30", "4:30p..", F), (r"a\cdot 3", "3a", T), ("3 am", "3a", F),
    (r"391 \approx 392", "392", F), (r"391 \approx 392", "391", T), (r"\frac{10}{3} \approx 3.33", "3.33", T), (r"\frac{10}{3} \approx 3.33", r"\frac{10}{3}", T),
    (r"x = \sqrt{2} \approx 1.414", r"\sqrt{2}", T), ("(2+1):1", "3:1", F), ("3x+2+4x", "7x+2", F), ("x+x", "2x", F), ("2+7x", "7x+2", T),
    ("x^2+x+x^2", "2x^2+x", F), (r"\frac{x}{2}+\frac{x}{3}", r"\frac{5x}{6}", F), ("(x+1)^2", "x^2+2x+1", T),
    ("f(3) < f(1) < f(4)", "f(2) < f(1) < f(4)", F), ("f(4) > f(1) > f(2)", "f(2) < f(1) < f(4)", T), ("10,00", "10,000", F),
    (r"f^{\prime}(2)", "f'(2)", T), (r"f^{\prime\prime}(2)", "f'(2)", F), ("f''(2)", r"f^{\prime\prime}(2)", T),
    ("y'=2", "y=2", F), (r"\dot{x}", "x", F), (r"\alpha=30^\circ", r"\theta=30^\circ", F), ("g(x)=2x", "f(x)=2x", F),
    ("A=5", "B=5", F), ("-x=3", "x=3", F), ("x_1=3", "x_2=3", F), (r"\theta = 30^\circ", "30", T),
    ("17(23)", "391", F), ("(17)(23)", "391", F), ("400-9", "391", F), (r"\sqrt{152881}", "391", T),
    (r"\frac{17\cdot23}{1}", "391", F), (r"\lceil 390.5\rceil", "391", F), ("391+0", "391", F),
    (r"1\cdot391", "391", F), (r"17\cdot 23=391", "391", T), (r"391=17\cdot 23", "391", T),
    (r"x=17\cdot23=391", "391", T), (r"x=391=17\cdot 23", "391", T), (r"\text{17 times 23}", "391", F),
    ("17 times 23", "391", F), ("3^2+4^2", "25", F), ("5^2", "25", T), (r"2^4\cdot 5", "80", F),
    (r"\frac{10!}{8!}", "90", F), (r"\frac{2^3}{3^2}", r"\frac{8}{9}", T), (r"\prod_{k=1}^{4}k", "24", F),
    (r"1+\frac{1}{2}", "1.5", F), (r"\frac{3}{4}\cdot\frac{2}{3}", "0.5", F), (r"\operatorname{lcm}(3,5)", "15", F),
    (r"15 \bmod 8", "7", F), (r"e^{\ln 5}", "5", F), (r"\log 100", "2", F), (r"\sin 90^\circ", "1", F),
    (r"\tan\frac{\pi}{4}", "1", F), (r"\sqrt{2}\cdot\sqrt{8}", "4", F), (r"(\sqrt{5})^2", "5", F), ("i^2", "-1", F),
    ("--5", "5", F), ("0.1+0.2", "0.3", F), (r"50\%\text{ of }10", "5", F), (r"\frac{100\pi}{4}", r"25\pi", T),
    (r"\pi\cdot5^2", r"25\pi", F), (r"\pi \cdot 25", r"25\pi", T), (r"3\pi+2\pi", r"5\pi", F),
    (r"\sqrt{3}\cdot 2", r"2\sqrt3", T), (r"\sqrt{6}\cdot\sqrt{2}", r"2\sqrt3", F), ("(1,1+1)", "(1,2)", F),
    ("[1+1,5]", "[2,5]", F), ("x>2+3", "x>5", F), (r"x=2\cdot 3", "x=6", F), ("1+1, 3", "2,3", F),
    (r"x<1 \land x>2", "x<1 or x>2", F), (r"x<1 \lor x>2", r"x<1\text{ or }x>2", T),
    (r"x<1 \wedge x>2", r"x<1 \vee x>2", F), ("x<1, or x>2", "x<1 or x>2", T), ("2<x<1", "x<1 or x>2", F),
    (r"x\le1 or x>2", "x<1 or x>2", F), (r"m\angle ABC", r"m\angle CBA", T), ("∠ABC", "∠BAC", F),
    (r"\widehat{AB}", r"\widehat{BA}", F), (r"\overrightarrow{AB}", r"\overrightarrow{BA}", F),
    (r"\angle{BAC}", r"\angle{ABC}", F), (r"\triangle DEF", r"\triangle DFE", F), ("ACBD", "ABCD", F),
    ("pq", "qp", T), ("mn", "nm", T), ("2ab", "2ba", T), (r"\text{Bob}", "obB", F),
    (r"5\text{ sq. cm}", r"5\text{ cm}^2", T), ("5 cm2", "5 cm^2", T), ("5 cm²", r"5\text{ cm}^3", F),
    (r"5\ \mathrm{cm}^{2}", r"5\mathrm{cm^2}", T), (r"5\text{ cm}", r"5\text{ cm}^2", F), ("25°C", "25°F", F),
    (r"25^\circ\text{C}", "25 °C", T), ("3 kg", "3 lb", F), ("5 dozen", "5", F), ("$5", "€5", F),
    ("60 kph", "60 km/h", T), ("60 km/hr", r"60\text{ km/h}", T), ("5 m/s", "5 km/h", F), ("5 N", "5 J", F),
    (r"5\text{ N}", r"5\text{ J}", F), (r"90^\circ", r"90\text{ degrees}", T),
    (r"\frac{\pi}{2}\text{ radians}", r"\frac{\pi}{2}", T), ("1.2e-05", "0.000012", T),
    (r"-3.5\times 10^{2}", "-3.5e2", T), (r"6.02\times10^{23}", "6.02e23", T),
    (r"1.6\times 10^{-19}\text{ C}", "1.6e-19", T), (r"1.7\times 10^{-19}", "1.6e-19", F), ("1e3", "1e4", F),
    ("16e-20", "1.6e-19", T), ("1^{st}", "1", T), ("3rd", "3", T), (r"x\in[0,2)", r"0\le x<2", T),
    (r"\{x\in\mathbb{R}: 0\le x<2\}", "[0,2)", T), (r"-\infty<x<3", r"(-\infty,3)", T), (r"(5,+\infty)", "x>5", T),
    (r"x>5\text{ or }x<-5", r"(-\infty,-5)\cup(5,\infty)", T),
    (r"(5,\infty)\cup(-\infty,-5)", r"(-\infty,-5)\cup(5,\infty)", T), (r"y\in(0,1]", "(0,1]", T),
    ("x<5", r"(5,\infty)", F), (r"[0,1]\cup[2,3]", r"[0,1]\cup[2,4]", F), ("(0,1)", "0<x<1", T),
    (r"\{0,1\}", "[0,1]", F), (r"0<x\le 1", r"0\leq x<1", F), (r"(-\infty,\infty)", r"x\in\mathbb{R}", T),
    (r"\{x\mid x\neq 2\}", r"(-\infty,2)\cup(2,\infty)", T), (r"$\frac{1}{2}$", r"\frac12", T), ("5", r"\(5\)", T),
    ("5", r"\[5\]", T), ("3", "$x=3$", T), ("3, 5", "$3$ and $5$", T), (r"\boldsymbol{\frac{1}{2}}", "0.5", T),
    (r"\textcolor{#ff0000}{5}", "5", T), (r"{\color{red} 5}", "5", T), (r"\underline{\underline{5}}", "5", T),
    (r"\bf 12", "12", T), (r"\rm{12}", "12", T), (r"\mathsf{12}", "12", T), (r"\Large{12}", "12", T),
    (r"\texttt{12}", "12", T), (r"\mathbf 5", "5", T), (r"\boxed{5}", "5", T), (r"\mathbf{\text{5}}", "5", T),
    (r"\text{\textbf{5}}", "5", T), (r"\textcolor{red}{\mathbf{21}}", "12", F), ("{5}", "5", T),
    (r"\left(5\right)", "5", T), (r"\ensuremath{5}", "5", T), (r"5\phantom{0}", "5", T), (r"5\,", "5", T),
    (r"\!5", "5", T), (r"\mathrm{5\ cm}", "5", T), (r"\textbf{5 cm}", "5", T), (r"\mathit{x}", "x", T),
    (r"25\;000", "25000", T), ("25~000", "25000", T), ("12 345,6", "12", F), (r"1\,234\,567", "1234567", T),
    ("3{,}5", "3.5", T), ("3{,}5", "3.6", F), ("√(2)/2", r"\frac{\sqrt2}{2}", T), ("x⁻¹", r"\frac1x", T),
    ("10⁻³", "0.001", T), ("⅔", r"\frac23", T), ("７", "7", T), ("±3", "3,-3", T), ("2√3", r"\sqrt{12}", T),
    ("3⅓", r"\frac{10}{3}", T), ("x²−1", "x^2-1", T), ("α+β", r"\alpha+\beta", T), ("≠3", "3", F), ("√2", "√3", F),
    ("x² + y² = 4", "x^2+y^2=4", T), ("−½", "-0.5", T), ("4π²", r"4\pi^2", T), (r"\empty", r"\emptyset", T),
    (r"\{\}", r"\emptyset", T), (r"\{ \}", r"\varnothing", T), (r"\text{no solution}", "no solution", T),
    (r"\langle 1,2,3\rangle", "(1,2,3)", T), (r"\left\langle 1,2\right\rangle", "(2,1)", F),
    (r"\{(1,2),(3,4)\}", "(1,2),(3,4)", T), ("x=-2 or x=4", "-2,4", T), ("3 and 5 and 7", "3,5,7", T),
    (r"x\in\{1,2\}", r"\{1,2\}", T), (r"a=1,\ b=2", "(1,2)", T), ("b=2, a=1", "a=1, b=2", T),
    ("(x,y)=(1,2)", "(1,2)", T), ("(x,y)=(2,1)", "(1,2)", F), ("x=1,y=2", "(x,y)=(1,2)", T), ("3, 5", "3 or 5", T),
    ("3, 5, 5", "3, 5", F), ("(2,1),(1,2)", "(1,2),(2,1)", T), (r"\frac12, \frac13", r"\frac13,\frac12", T),
    ("1,2,3", "1,2,4", F), ("1;2;3", "3,2,1", T), ("e^{x}+C", "e^x+C", T),
    ("c_1e^{x}+c_2e^{-x}", "C_1e^{x}+C_2e^{-x}", T), ("k^2", "K^2", T), ("m+M", "M+m", T), ("M-m", "m-M", F),
    ("R^2", "r^2+R-R", F), ("2x+3y", "3y+2x", T), ("x(x+1)", "x^2+x", T), (r"\frac{x^2-1}{x-1}", "x+1", T),
    ("(x-1)^{10}", "(1-x)^{10}", T), (r"\sin^2 x", r"1-\cos^2 x", T), (r"\tan x", r"\frac{\sin x}{\cos x}", T),
    (r"\arctan x", r"\tan^{-1}x", T), (r"\sinh x", r"\frac{e^x-e^{-x}}{2}", T), ("x^{3/2}", r"x\sqrt{x}", T),
    (r"\sqrt[3]{8}", "2", T), ("2^{n+1}", r"2\cdot2^n", T), (r"\frac{1}{1+x}", r"\frac{1}{1-x}", F), ("|x|", "x", F),
    (r"\sqrt{x^2}", "|x|", T), (r"\log_2 x", r"\frac{\ln x}{\ln 2}", T), (r"\frac{a}{b}", r"\frac{b}{a}", F),
    ("abc", "abd", F), ("x^2+y^2=1", "y^2+x^2-1=0", T), ("y=2x+3", "2x+3=y", T), ("y-3=2x", "y=2x+3", T),
    ("x+y>2", "2<x+y", T), ("x+y>2", "x+y<2", F), ("2x+2y>4", "x+y>2", T), ("-x-y<-2", "x+y>2", T),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", F),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)", T),
]  # fmt: skip
"""Of every kind once more, in no order."""
PAIRS = [
    pytest.param(*pair, id=f"{kind}-{i}")
    for kind, pairs in {**KINDS, "more": MORE}.items()
    for i, pair in enumerate(pairs)
]


@pytest.mark.parametrize(("answer", "reference", "ok"), PAIRS)
def test_a_boxed_answer_is_right_or_wrong(answer, reference, ok):
    verdict = math(f"\\boxed{{{answer}}}", reference)
    assert verdict.ok is ok, verdict.because


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_at_least_five_pairs(kind):
    assert len(KINDS[kind]) >= 5
