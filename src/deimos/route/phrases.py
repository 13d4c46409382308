"""The words by which rules know what a request asks for, in the larger languages. Data, no logic.

Phrases stand between bars, as lowercased tokens with one space between (``features``), numbers
written as 0; ``~`` at the end of a single word: a stem. Scripts that have no spaces have phrases of
their own, looked for in the lowercased text.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> tuple[str, ...]:
    """Phrases between bars."""
    return tuple(part.strip() for part in " ".join(text.split()).split("|"))


NUMBER_WORDS = frozenset(
    _words(
        "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
        "seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|"
        "thousand|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|zwanzig|fünfzig|hundert|deux|"
        "trois|quatre|cinq|sept|huit|neuf|dix|douze|vingt|trente|cinquante|cent|dos|tres|cuatro|cinco|"
        "seis|siete|ocho|nueve|diez|doce|veinte|treinta|cincuenta|cien|due|tre|quattro|cinque|sei|sette|"
        "otto|nove|dieci|venti|cinquanta|cento|dois|duas|três|quatro|sete|oito|dez|vinte|cinquenta|cem|"
        "twee|drie|vijf|zes|zeven|negen|tien|twintig|vijftig|honderd|dwa|dwie|dwóch|trzy|trzech|cztery|"
        "czterech|pięć|pięciu|sześć|siedem|osiem|dziesięć|dziesięciu|sto|два|две|двух|три|трёх|трех|"
        "четыре|четырёх|четырех|пять|пяти|шесть|шести|семь|восемь|десять|десяти|сто|två|fyra|fem|sex|sju|"
        "åtta|nio|tio|tjugo|hundra|iki|üç|dört|beş|altı|yedi|sekiz|dokuz|yüz|ثلاث|ثلاثة|أربع|أربعة|خمس|"
        "خمسة|عشر|عشرة|ثلاثين|خمسين|مئة|दो|तीन|चार|पाँच|पांच|दस"
    )
)
"""Written as 0 like any figure; words for one are left out, as they are articles too."""

UNITS = _words(
    "words|word|sentences|sentence|paragraphs|paragraph|lines|line|bullets|bullet|items|item|sections|"
    "section|characters|character|letters|letter|syllables|syllable|verses|verse|stanzas|stanza|placeholders|"
    "placeholder|points|point|questions|question|turns|turn|titles|title|asterisks|asterisk|exclamation|"
    "headings|heading|keywords|keyword|versions|version|responses|response|tweets|tweet|columns|column|"
    "wörter|wörtern|worte|worten|sätze|sätzen|absätze|absätzen|zeilen|zeichen|strophen|stichpunkte|"
    "stichpunkten|mots|mot|phrases|phrase|paragraphes|paragraphe|lignes|ligne|caractères|vers|puces|strophes|"
    "palabras|palabra|frases|frase|oraciones|párrafos|párrafo|líneas|línea|caracteres|versos|verso|viñetas|"
    "parole|frasi|paragrafi|righe|caratteri|versi|palavras|palavra|parágrafos|parágrafo|linhas|linha|woorden|"
    "zinnen|alinea's|regels|słów|słowa|zdań|zdania|akapity|akapitów|wersów|слов|слова|предложений|"
    "предложения|предложениях|абзаца|абзацев|строк|строки|ord|meningar|stycken|rader|kelime|kelimeyle|cümle|"
    "cümleyle|paragraf|satır|كلمة|كلمات|جملة|جمل|فقرات|शब्दों|शब्द|वाक्य|वाक्यों"
)
"""What an answer is counted in."""

NEGATIONS = _words(
    "not|don't|without|avoid~|refrain~|never|mustn't|can't|cannot|leave|leaving|skip~|exclude~|"
    "no|omit~|zero|ohne|kein~|nicht|vermeide~|sans|évite~|ne|sin|evita~|no|senza|non|sem|não|zonder|geen|"
    "niet|bez|nie|без|не|utan|inte|inga|دون|بدون|لا|बिना|मत"
)
USES = _words(
    "use~|using|usage|includ~|contain~|mention~|word~|letter~|comma~|keyword~|punctuation|capital~|contraction~|"
    "adjective~|period~|stops|dash~|semicolon~|digit~|emoji~|markdown|apostrophe~|"
    "wort~|komma~|buchstab~|verwend~|benutz~|mot|mots|virgule~|utilis~|employ~|palabra~|coma|comas|usar|uses|"
    "utiliz~|parol~|virgol~|usare|palavra~|vírgula~|woord~|komma's|gebruik~|słow~|przecin~|używ~|запят~|слов~|"
    "использ~|kommatecken|كلمة|فواصل|فاصلة|استخدام|شब्द~"
)
BORDERS = _words(
    "begin~|start~|end|ends|ending|finish~|close|closes|open|opens|conclude~|beginn~|endet~|enden|ende|"
    "fängt|commence~|termin~|finis~|empiec~|empez~|comienc~|acab~|inizi~|finir~|começ~|begint|eindig~|"
    "zaczn~|zakończ~|начни~|начина~|заканчива~|закончи~|börja~|sluta~"
)
WITHS = _words("with|by|mit|par|con|com|met|od|с|со|med|words|word|phrase|sentence|line|followed")
KEYWORDS = _words(
    "word|words|keyword|keywords|phrase|phrases|letter|letters|expression|wort|wörter|mot|palabra|parola|palavra|"
    "woord|słowo|слово|ordet|kelimesi|كلمة"
)
QUOTES = ('"', "“", "'", "‘", "«", "„", "»", "「")
APPEARS = _words("appear~|occur~|turn|turns|shows|show|mention~|use|include~|contain~|repeat~")
TIMES = _words("times|once|twice|mal|fois|veces|volte|vezes|keer|razy|раз|раза|gånger|kez")

PHRASES: Mapping[str, tuple[str, ...]] = {
    "bounded": _words(
        "at least|at most|no more than|no fewer than|no less than|not more than|not less than|fewer than|"
        "less than|more than|exactly|precisely|maximum|minimum|max|min|or fewer|or less|or more|exceed~|up to|"
        "genau|höchstens|mindestens|maximal|weniger als|mehr als|exactement|au moins|au plus|moins de|au maximum|"
        "exactamente|al menos|como máximo|por lo menos|menos de|no más de|esattamente|almeno|al massimo|non più di|"
        "meno di|exatamente|pelo menos|no máximo|menos de|precies|hoogstens|minstens|maximaal|minder dan|"
        "dokładnie|co najmniej|najwyżej|ровно|не более|не менее|не больше|не меньше|менее|exakt|högst|minst|"
        "mer än|mindre än|tam olarak|en az|en fazla|أقل من|على الأقل|بالضبط|أكثر من|ठीक|कम से कम|से कम"
    ),
    "cased": _words(
        "lowercase~|lower case|lower - case|uppercase~|upper case|upper - case|capital letters|capitals|"
        "capitalize~|capitalise~|all caps|all - caps|small letters|title case|kleinbuchstaben|kleinschreibung|"
        "kleingeschrieben|großbuchstaben|grossbuchstaben|majuscule~|minuscule~|mayúscula~|minúscula~|maiuscol~|"
        "minuscol~|maiúscul~|kleine letters|hoofdletter~|małymi|wielkimi|строчны~|заглавн~|прописн~|"
        "små bokstäver|stora bokstäver|versaler|büyük harf|büyük harfle|büyük harfler|küçük harf|küçük harfle|küçük harflerle"
    ),
    "formatted": (
        *_words(
            "json|yaml|xml|csv|html|markdown|bullet~|numbered list|heading~|headline~|wrap~|quotation~|"
            "square brackets|angular brackets|angle brackets|placeholder~|postscript|p . s|p . p|highlight~|tag|tags|"
            "in bold|italics|separated by|separate them|divided by a line|divider|title|subtitle|template|format|"
            "stichpunkt~|aufzählung~|anführungszeichen|liste à puces|guillemets|comillas|viñetas|virgolette|elenco|aspas|"
            "aanhalingstekens|cudzysł~|кавыч~|список|списк~"
        ),
        "< <", "* * *", "- - -",
    ),
    "whole_answer": _words(
        "your entire|the entire|your whole|whole response|whole reply|whole answer|your response|your answer|your reply|"
        "your output|the response|the answer should|the reply|in your response|nothing else|nothing before|nothing after|"
        "and nothing|no other words|no other text|only output|output only|reply only|respond only|answer only|only reply|"
        "only the|no prose|no explanation|no preamble|no introduction|everything you write|from start to finish|throughout|"
        "nur mit|ausschließlich|uniquement|seulement|solamente|únicamente|soltanto|solo con|somente|apenas|alleen|tylko|"
        "только|endast|bara|sadece|فقط|केवल"
    ),
    "in_language": _words(
        "in french|in german|in spanish|in italian|in portuguese|in hindi|in korean|in japanese|in chinese|in russian|"
        "in arabic|in bengali|in marathi|in tamil|in telugu|in urdu|in punjabi|in gujarati|in kannada|in thai|in vietnamese|"
        "in persian|in farsi|in finnish|in swahili|in bulgarian|in nepali|in english|in dutch|in polish|in swedish|in greek|"
        "language|languages|auf deutsch|auf englisch|en français|en anglais|en español|en inglés|in italiano|em português"
    ),
    "repeated": _words(
        "repeat the|repeat this|repeat my|repeat your|repeat it|repeating|repeat~|word for word|without change|without changing|"
        "0 different|0 separate|0 alternative|0 alternatives|0 distinct|0 versions|wiederhole~|répète~|repite|repita|ripeti|повтори~"
    ),
    "each_part": _words(
        "each line|each sentence|each word|each paragraph|each bullet|each verse|each stanza|each of them|each item|each letter|"
        "each section|every line|every sentence|every word|every paragraph|every bullet|every verse|every other|jede zeile|"
        "jeder satz|jedes wort|chaque vers|chaque phrase|chaque ligne|chaque mot|cada verso|cada frase|cada línea|cada linha|"
        "cada palabra|ogni verso|ogni frase|ogni riga|elke zin|elke regel|każd~|каждая строка|каждое предложение|каждое слово|varje rad"
    ),
    "fixed_form": _words(
        "haiku|haikus|acrostic|akrostichon|acrostiche|acróstico|limerick|sonnet|palindrome|tweet|syllable~|rhym~|couplet~|"
        "poem|gedicht|poème|poema|poesia|стих~|dikt"
    ),
    "written": _words(
        "write|compose|draft|describe|create|rewrite|generate|produce|summarize|summarise|explain|tell|give me|list|schreib~|"
        "beschreib~|erklär~|verfass~|rédige~|écris|écrivez|décris|explique|escribe|redacta|scrivi|descrivi|escreva|descreva|schrijf|"
        "beschrijf|napisz|opisz|напиши~|опиши~|расскажи~|skriv|beskriv|yaz|yazın|اكتب|लिखिए|लिखें|लिखो"
    ),
    "essay": _words(
        "letter|essay|story|blog|email|e - mail|article|speech|song|joke|resume|review|note|notes|announcement|advertisement|ad|"
        "summary|paragraph|itinerary|script|dialogue|riddle|proposal|description|brief|cover letter|diary|brief|geschichte|"
        "histoire|lettre|cuento|carta|storia|lettera|verhaal|рассказ|письмо|berättelse"
    ),
    "quantity": _words(
        "how many|how much|how long|how far|how old|how fast|how tall|how often|the value|the sum|the product|the area|the volume|"
        "the number of|total number|the total|the probability|the largest|the smallest|the greatest|the least|the remainder|the ratio|"
        "the length|the perimeter|the radius|the slope|the average|the mean|the median|the determinant|the difference between|find|"
        "compute|calculate|evaluate|determine|solve|simplify|prove|show that|derive|factor|expand|convert|round|work out|express|"
        "probability|percent|percentage|ratio|per|each|twice|half|times as|remainder|integer~|equation~|fraction~|polynomial~|triangle~|"
        "wie viel|wie viele|wieviel~|wie weit|wie lange|wie hoch|wie groß|wie alt|berechn~|löse|löst|beweis~|bestimm~|gleichung|"
        "combien|calcule~|démontr~|résou~|résol~|équation|cuánto|cuánta|cuántos|cuántas|resuelv~|resolv~|demuestr~|ecuación|calcol~|"
        "quanto|quanti|quante|quanta|quantos|quantas|dimostr~|risolv~|equazione|equação|hoeveel|bereken~|vergelijking|ile|oblicz~|rozwiąż|"
        "równanie|сколько|докаж~|реши~|вычисл~|найди~|уравнени~|hur många|hur mycket|hur lång|beräkna|lös|kaç|hesapla~|كم|احسب|أوجد|"
        "कितना|कितने|कितनी|ज्ञात"
    ),
    "formula": ("\\", "=", "^", "²", "³", "√", "∫", "∑", "$", "×", "÷", "≤", "≥", "0 +", "0 - 0", "0 *", "0 / 0", "+ 0", "π"),
    "code": (
        *_words(
            "def|function|functions|class|import|return|returns|python|javascript|typescript|java|rust|c + +|sql|regex|"
            "regular expression|algorithm|implement~|program|code|bug|debug|array|string|compile~|bash|golang|code block|"
            "python - funktion|funktion|fonction|función|funzione|função|functie|funkcj~|функци~|fonksiyon|alghorithm~|quellcode|"
            "código|codice|код"
        ),
        "` ` `", "> > >", "# include",
    ),
    "measured": (
        *_words(
            "0 km|0 cm|0 mm|0 kg|0 kilos|0 m|0 mph|0 litres|0 liters|0 hours|0 hour|0 minutes|0 days|0 weeks|0 years|0 dollars|"
            "0 cents|0 euros|0 euro|0 percent|0 degrees|0 metres|0 meters|0 feet|0 inches|0 miles|0 pounds|0 g|0 reais|0 stunden|"
            "0 heures|0 horas|0 ore|0 uur|0 litros|0 liter|0 kronor|0 tl|0 lat|0 часа|0 часов|0 рублей|0 रुपये"
        ),
        "0 %", "$ 0", "€ 0", "£ 0", "0 €", "0 $",
    ),
    "logic": _words(
        "puzzle~|logic~|switches|knight|knights|liar|liars|weighing~|deduce|lying|next number|next term|comes next|sequence|series|"
        "step by step|optimal|minimize|minimise|maximize|maximise|theorem|converge~|algorithm|complexity|strategy"
    ),
    "personal": _words(
        "i'm|i|i've|i'd|i'll|me|my|we|we're|we've|our|us|myself|mir|mich|mein~|ich|wir|je|j|ma|mon|mes|moi|mi|mis|me|estoy|tengo|"
        "io|mio|mia|sono|ho|estou|meu|minha|tenho|ik|mijn|mam|mój|moja|меня|мне|мой|моя|я|jag|min|mitt|ben|benim|أنا|मैं|मेरा|मेरी"
    ),
    "to_you": _words("you|your|du|dir|dein~|tu|te|usted|você|jij|je|ty|ты|вы|вас|sen|do you think|your favourite|your favorite"),
    "greeting": _words(
        "hi|hello|hey|good morning|good evening|thanks|thank you|please help|help|tips|advice|ideas|recommend~|suggest~|"
        "should i|hallo|salut|bonjour|hola|ciao|oi|olá|привет|здравствуйте|hej|merhaba|cześć|مرحبا|नमस्ते|consejo~|conseil~|"
        "consiglio|dica|dicas|tipps|tips|посоветуй~"
    ),
    "asks_fact": _words(
        "who is|who was|who wrote|who painted|who invented|who discovered|who won|who were|who|when did|when was|when is|"
        "where is|where was|where are|where did|capital of|what is|what are|what was|what were|what does|what's the|causes of|"
        "which of the following|which country|which city|which planet|which element|difference between|stand for|wer war|"
        "wer ist|wer schrieb|wer|wann|was ist|quelle est|quel est|qui|cuál es|quién|chi|qual è|qual|quem|wie is|wie was|kto|"
        "jaka jest|кто|когда|какая|vem|vad är|kim|nedir|ما هي|ما هو|من هو|متى|कौन|क्या है|कब"
    ),
}  # fmt: skip
"""Name to phrases; a rule of the same name holds if one of them is there."""

UNSPACED: Mapping[str, tuple[str, ...]] = {
    "counted": (
        "个字", "個字", "十字", "百字", "0字", "个词", "句话", "两句", "三句", "四句", "五句", "两段", "三段", "四段",
        "文字以", "0文字", "百文字", "文字", "三文で", "二文で", "四文で", "五文で", "段落", "箇条", "문장", "문단", "글자", "단어로", "줄로",
    ),
    "bounded": (
        "不超过", "不少于", "至少", "最多", "恰好", "正好", "以内", "以上", "以下", "ちょうど", "以内", "정확히", "이내", "이상", "이하",
    ),
    "forbidden": (
        "不要使用", "不使用", "不能使用", "不得", "避免", "不用", "不要出现", "使わず", "使わない", "入れず", "含めない", "なしで", "避け",
        "없이", "사용하지", "쓰지 말", "빼고",
    ),
    "cased": ("大写", "小写", "大文字", "小文字", "대문자", "소문자"),
    "formatted": (
        "格式", "列表", "表格", "标题", "json", "形式で", "箇条書き", "表で", "見出し", "형식", "목록", "표로", "不要输出",
    ),
    "bordered": ("开头", "结尾", "结束", "始め", "始まる", "終わ", "시작", "끝나", "끝내"),
    "whole_answer": ("只输出", "只用", "仅用", "只能", "のみ", "だけで", "만 사용", "로만", "만 출력"),
    "written": ("写一", "写出", "请写", "介绍", "描述", "解释", "書いて", "説明して", "紹介", "써 주", "써줘", "작성", "설명해"),
    "quantity": (
        "多少", "几个", "几只", "几天", "求", "解方程", "计算", "证明", "概率", "方程", "いくら", "いくつ", "何個", "何人", "解きなさい",
        "解け", "求め", "計算", "証明", "確率", "방정식", "구하", "구해", "몇 ", "얼마", "계산", "증명", "확률",
    ),
    "code": ("函数", "代码", "程序", "関数", "コード", "プログラム", "함수", "코드", "프로그램"),
    "personal": ("我", "私", "僕", "わたし", "제가", "저는", "나는", "요즘"),
    "to_you": ("你", "您", "あなた", "당신"),
    "greeting": ("你好", "建议", "推荐", "こんにちは", "おすすめ", "アドバイス", "안녕", "추천", "어떻게 하면"),
    "asks_fact": (
        "什么", "哪条", "哪个", "谁", "哪里", "何年", "だれ", "誰", "どこ", "何です", "なんです", "누가", "누구", "무엇", "어디", "언제",
    ),
}  # fmt: skip
"""The same for Chinese, Japanese and Korean."""
