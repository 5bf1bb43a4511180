/**
 * Words that records are made of. All are invented; telephone numbers and mail domains come from
 * ranges that are kept free for fiction (555-01xx, Ofcom drama numbers, `.example`).
 */
// prettier-ignore
export const givenNames = [
  'Amelia', 'Björn', 'Chloé', 'Dmitri', 'Elif', 'Farah', 'Gwendolyn', 'Håkon', 'Inês', 'Jarosław',
  'Kenji', 'Lucía', 'Małgorzata', 'Nguyễn', 'Óscar', 'Priya', 'Quentin', 'Rania', 'Søren', 'Takumi',
  'Ümit', 'Valentina', 'Wanjiru', 'Xiomara', 'Yūko', 'Zoë', "D'Arcy", 'Aoife', 'Björk', 'Thandiwe',
] as const;

// prettier-ignore
export const familyNames = [
  'Ångström', 'Brandt', 'Castañeda', "O'Dowd", 'Dvořák', 'Eze', 'Fitzgerald', 'González', 'Haddad',
  'Ionescu', 'Jørgensen', 'Kowalczyk', 'Lefèvre', 'Müller', 'Nakamura', 'Okafor', 'Petrović',
  'Quiroga', 'Rossi', 'Šimunić', 'Tanaka', 'Umarov', 'Vasquez', 'Weiß', 'Xu', 'Yıldız', 'Zhang',
  '田中', 'Иванова', 'الحسن',
] as const;

// prettier-ignore
export const companyStems = [
  'Harbour', 'Meridian', 'Kestrel', 'Blue Anchor', 'Nordlicht', 'Æther', 'Café Central', 'Zephyr',
  'Copper & Pine', 'Lumière', 'Tidewater', '山田商店', 'Спутник', 'Quarry Hill', 'Señorial', 'Boreal',
  'Fjord', '"Quoted"', 'Granite', 'Halyard', 'Ivory', 'Juniper', 'Keel', 'Lanyard', 'Mizzen',
] as const;

// prettier-ignore
export const companyKinds = [
  'Logistics', 'Software', 'Foods', 'GmbH', 'Ltd', 'S.A.', 'Labs', 'Consulting', 'Partners 🚀',
  'Energy', 'Studio', 'Inc.', 'Oy', '株式会社', 'Robotics', 'Textiles', 'Health', 'Freight',
] as const;

// prettier-ignore
export const jobTitles = [
  'Head of Purchasing', 'CEO', 'CTO', 'Office Manager', 'Leiterin Einkauf', 'Directrice générale',
  'Operations', 'VP Sales', '営業部長', 'Sócio-gerente',
] as const;

export const sentences = [
  'They want a second quote before the end of the quarter.',
  'Asked me to call back on Thursday; the assistant was friendly.',
  'Budget is approved, the contract is with their lawyers now.',
  'Wir haben über die Einführung im März gesprochen und die Größe des Teams geklärt.',
  'Le responsable est en congé jusqu’au 15, rappeler après.',
  'La reunión salió bien: quieren una demostración para todo el equipo.',
  '来週の火曜日にもう一度お電話ください。見積書も送ってください。',
  'Договорились о встрече на следующей неделе, ждут договор.',
  'سنرسل العرض المحدث غدا إن شاء الله.',
  'Preferred tier is “Growth”, 25 seats, billed yearly — discount of 10% discussed.',
  'Not interested right now, try again in six months 🙂',
  'Spoke to "Jo" from finance; path was C:\\Offers\\2024\\final.pdf (sic).',
  'Volají zpět v pondělí, číslo mají.',
  'Great call! 🎉 Next step: security questionnaire & DPA.',
  'Obrigado pela proposta, vamos analisar com a diretoria.',
  'They use a competitor <Contoso> today and are unhappy with support.',
  'Voicemail: left my number and a short message.',
  'Müşteri fiyatı yüksek buldu, tekrar değerlendirecek.',
  'Left the door open for a pilot in the Dublin office.',
  '견적서를 다시 보내 주세요. 감사합니다!',
] as const;

// prettier-ignore
export const subjects = [
  'Your quote', 'Following up on our call', 'Angebot für Ihr Team', 'Réunion de lancement',
  'Next steps ✅', 'Contract v2 – please sign', 'お見積もりの件', 'Invoice question', 'Demo on Friday?',
  'Introducción', 'Welcome aboard!', 'Вопрос по договору', 'Renewal', 'Pricing for 50 seats',
] as const;

export const paragraphs = [
  'Thank you for taking the time to speak with me today. As promised, I have put together the figures that we discussed and attached them to this message.',
  'Our team would be ready to start in the second week of next month. The roll-out usually takes ten working days, and you would have one contact person throughout.',
  'Vielen Dank für das Gespräch. Anbei finden Sie die Unterlagen, über die wir gesprochen haben; für Rückfragen stehe ich Ihnen jederzeit gern zur Verfügung.',
  'Merci pour votre retour rapide. Nous vous proposons un créneau jeudi à 10 h ou vendredi après 14 h — dites-nous ce qui vous convient.',
  'お世話になっております。先日お打ち合わせいたしました件につきまして、改めてご連絡いたします。ご確認のほどよろしくお願いいたします。',
  'Could you confirm how many seats you need in the first year? With more than 50 the price for each seat falls by 15 %, which would bring the total to about €12,400.',
  'Gracias por la reunión de ayer. Quedamos a la espera de los datos fiscales para preparar el contrato definitivo.',
  'I am aware that procurement has a form for new suppliers. If you send it over, I will have it filled in and returned on the same day 👍',
  'Спасибо за звонок. Отправляю обновлённый договор, изменения отмечены жёлтым цветом.',
  'A short summary of where we are: the pilot is agreed, the security review is under way, and the only open point is the length of the notice period.',
] as const;

// prettier-ignore
export const smsTexts = [
  'Running 5 min late, sorry!', 'Thanks, see you at 3 👋', 'Können wir auf morgen verschieben?',
  'Contract signed ✍️', 'Can you resend the link?', '了解しました', 'Oui, parfait.', 'STOP',
] as const;

// prettier-ignore
export const cities = [
  { city: 'Portland', state: 'OR', zipcode: '97201', country: 'US', timezone: 'America/Los_Angeles' },
  { city: 'Zürich', state: 'ZH', zipcode: '8001', country: 'CH', timezone: 'Europe/Zurich' },
  { city: 'São Paulo', state: 'SP', zipcode: '01000-000', country: 'BR', timezone: 'America/Sao_Paulo' },
  { city: 'Kraków', state: '', zipcode: '30-001', country: 'PL', timezone: 'Europe/Warsaw' },
  { city: 'Dublin', state: '', zipcode: 'D01 X000', country: 'IE', timezone: 'Europe/Dublin' },
  { city: 'Nairobi', state: '', zipcode: '00100', country: 'KE', timezone: 'Africa/Nairobi' },
  { city: '大阪市', state: '大阪府', zipcode: '530-0001', country: 'JP', timezone: 'Asia/Tokyo' },
] as const;

export const leadSources = ['Referral', 'Website', 'Trade fair', 'Kaltakquise', 'Partner'] as const;
export const products = ['Starter', 'Growth', 'Scale', 'Add-on: Archive', 'Überwachung'] as const;
